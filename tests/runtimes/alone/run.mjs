import { rooms } from "./rooms.mjs";

/** Runs the cases, and gives `print` what `conformance.mjs` prints. */
export function runRooms(print) {
  print({ cases: rooms.map(({ name }) => name) });
  let passed = 0;
  for (const { name, run } of rooms) {
    try {
      run();
      print({ case: name, ok: true });
      passed++;
    } catch (error) {
      print({ case: name, ok: false, error: String(error?.stack ?? error) });
    }
  }
  print({ passed });
  return passed === rooms.length;
}
