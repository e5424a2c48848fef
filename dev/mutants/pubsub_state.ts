import type { Mutant } from "./mutant.ts";

/** Breakages of what `pubsub/` counts, notes and releases. */
export const pubsubState: readonly Mutant[] = [
  {
    name: "forgets the bytes of connections that were lost",
    file: "pubsub/subscriber.ts",
    before: "this.#bytesBefore += connection.bytesReceived;",
    after: "",
    tests: ["tests/pubsub/node_status_test.ts"],
  },
  {
    name: "says of a node that it stands so since it was first reached",
    file: "pubsub/subscriber.ts",
    before: "if (this.state !== state) this.since = Date.now();",
    after: "",
    tests: ["tests/pubsub/node_status_test.ts"],
  },
  {
    name: "takes two events for one where a confirmation came between them while it came back",
    file: "pubsub/subscriber.ts",
    before: "else held.mark(events.onConfirmed);",
    after: "",
    tests: ["tests/pubsub/node_status_test.ts"],
  },
  {
    name: "gives up a connection whose long answer is under way",
    file: "pubsub/heartbeat.ts",
    before: "const due = Math.max(this.#asked, this.#heard) + timeout;",
    after: "const due = this.#asked + timeout;",
    tests: ["tests/pubsub/heartbeat_test.ts", "--filter=not given up"],
  },
  {
    name: "says that a connection is silent on which something comes",
    file: "pubsub/heartbeat.ts",
    before: "performance.now() - Math.max(this.#asked, this.#heard)",
    after: "performance.now() - this.#asked",
    tests: ["tests/pubsub/heartbeat_test.ts", "--filter=not given up"],
  },
  {
    name: "counts what was sent as unsent for ever",
    file: "pubsub/connection.ts",
    before: "    this.#unsent -= bytes.length;\n",
    after: "",
    tests: ["tests/pubsub/connection_test.ts"],
  },
  {
    name: "listens for the end of a signal though the connection is over",
    file: "pubsub/connection.ts",
    before: '.finally(() => signal.removeEventListener("abort", abort))',
    after: "",
    tests: ["tests/pubsub/connection_test.ts"],
  },
  {
    name: "listens for the end of a signal though one has answered",
    file: "pubsub/in_turn.ts",
    before: '    signal.removeEventListener("abort", giveUp);\n',
    after: "",
    tests: ["tests/pubsub/in_turn_test.ts"],
  },
  {
    name: "listens for the end of a signal though the wait is over",
    file: "pubsub/delay.ts",
    before: '      signal.removeEventListener("abort", abort);\n',
    after: "",
    tests: ["tests/pubsub/delay_test.ts"],
  },
  {
    name: "does not look at flags that changed and changed back",
    file: "pubsub/silence_guard.ts",
    before: "else this.#isOutdated = true;",
    after: "",
    tests: ["tests/pubsub/silence_guard_test.ts"],
  },
  {
    name: "counts the errors that are left out only from two on",
    file: "pubsub/printable.ts",
    before: "(more > 0 ?",
    after: "(more > 1 ?",
    tests: ["tests/pubsub/printable_test.ts"],
  },
];
