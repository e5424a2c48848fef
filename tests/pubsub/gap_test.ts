import { assert, assertEquals } from "@std/assert";
import { OpenGap } from "../../pubsub/gap.ts";

function scene() {
  const told: [reason: string, from: number, to: number][] = [];
  const gap = new OpenGap((...one) => told.push(one));
  return { gap, told };
}

Deno.test("a gap that is open is not begun again, and is reported once it ends", () => {
  const { gap, told } = scene();
  gap.begin("disconnected", 1_000);
  gap.begin("unresponsive", 2_000);
  const before = Date.now();
  gap.end();
  gap.end();
  assertEquals(told.map(([reason, from]) => [reason, from]), [["disconnected", 1_000]]);
  assert(before <= told[0]![2] && told[0]![2] <= Date.now());
  assertEquals(gap.isOpen, false);
});

Deno.test("a gap that is informed of goes on where that ended", () => {
  const { gap, told } = scene();
  gap.begin("disconnected", 1_000);
  gap.tell();
  assertEquals(gap.isOpen, true);
  gap.end();
  assertEquals(told[1]![1], told[0]![2]);
});

Deno.test("a move makes it a failover, which begins no later than either", () => {
  for (const [movedAfter, from] of [[500, 500], [2_000, 1_000]] as const) {
    const { gap, told } = scene();
    gap.begin("disconnected", 1_000);
    gap.move(movedAfter);
    gap.end();
    assertEquals(told.map(([reason, from]) => [reason, from]), [["failover", from]]);
  }
  const { gap, told } = scene();
  gap.move(500);
  gap.begin("disconnected", 1_000);
  gap.move(Infinity);
  gap.end();
  assertEquals(told[0]![0], "disconnected");
});

Deno.test("no gap ends before it began, also when the clock is set back", () => {
  const { gap, told } = scene();
  const from = Date.now() + 3_600_000;
  gap.begin("disconnected", from);
  gap.tell();
  gap.end();
  assertEquals(told, [["disconnected", from, from], ["disconnected", from, from]]);
});
