import { assertEquals } from "@std/assert";
import process from "node:process";
import { listenForInterrupt } from "../../cli/interrupt.ts";

for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`the first ${name} asks the program to end, and the next ends it`, () => {
    const count = () => process.listenerCount("SIGINT") + process.listenerCount("SIGTERM");
    const before = count();
    const { signal, release } = listenForInterrupt();
    assertEquals([count(), signal.aborted], [before + 2, false]);
    process.emit(name);
    // The system ends a program that does not listen.
    assertEquals([count(), signal.aborted], [before, true]);
    release();
    assertEquals(count(), before);
  });
}
