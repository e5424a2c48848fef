import type { Mutant } from "./mutant.ts";

const FILE = "pubsub/standby/matcher.ts";
const TESTS = ["tests/pubsub/standby/matcher_test.ts"];

const SUCCESSION = "pubsub/standby/succession.ts";
const TESTS_OF_SUCCESSION = ["tests/pubsub/standby/succession_test.ts"];

/** Breakages of `pubsub/standby/`. */
export const standby: readonly Mutant[] = [
  {
    name: "takes the last marks of two streams for one point of their history",
    file: FILE,
    before: "const at = other?.marks.get(offset);",
    after: "const at = [...other?.marks.values() ?? []].at(-1);",
    tests: TESTS,
  },
  {
    name: "forgets what a stream has yet to repeat when the other replaces it",
    file: FILE,
    before: "this.#order = [...last.events, ...this.#owedInOrder()];",
    after: "this.#order = [...last.events];",
    tests: TESTS,
  },
  {
    name: "delivers what a stream repeats",
    file: FILE,
    before: 'this.#owed.delete(event.id);\n      return "keep";',
    after: 'this.#owed.delete(event.id);\n      return "deliver";',
    tests: TESTS,
  },
  {
    name: "remembers streams without a limit",
    file: FILE,
    before: "if (events.length + marks.size > items || bytes > most) this.unmatch();",
    after: "",
    tests: TESTS,
  },
  {
    name: "does not know the names that replicas use",
    file: FILE,
    before: "return one === other || REPEATED_AS[one] === other || REPEATED_AS[other] === one;",
    after: "return one === other;",
    tests: TESTS,
  },
  {
    name: "compares events that replicas do not emit",
    file: FILE,
    before: 'if (REPEATED_AS[event.event] === null) return isLeading ? "deliver" : "keep";',
    after: "",
    tests: TESTS,
  },
  {
    name: "takes an event that only a replica emits for one that is missing",
    file: FILE,
    before: "if (first === undefined && !mayBeExtra) return true;",
    after: "if (first === undefined) return true;",
    tests: TESTS,
  },
  {
    name: "goes on with an event that differs from what was delivered",
    file: FILE,
    before: "if (first === undefined || !mayBeExtra) unknown.add(id);",
    after: "",
    tests: TESTS,
  },
  {
    name: "takes a new connection to a replica for one that goes on, whatever happened in between",
    file: SUCCESSION,
    before: "const isResumed = cut !== null && cut.offset === offset;",
    after: "const isResumed = cut !== null;",
    tests: TESTS_OF_SUCCESSION,
  },
  {
    name: "takes events for undone that a replica has yet to repeat",
    file: SUCCESSION,
    before: " && theirs.previousOffset === ours.previousOffset;",
    after: ";",
    tests: TESTS_OF_SUCCESSION,
  },
  {
    name: "does without a proof that everything before a promotion was received",
    file: SUCCESSION,
    before: "if (last === Infinity) return null;",
    after: "",
    tests: TESTS_OF_SUCCESSION,
  },
  {
    name: "takes what is not certain for undone",
    file: SUCCESSION,
    before: "indexOf(event) >= last)",
    after: "indexOf(event) >= first)",
    tests: TESTS_OF_SUCCESSION,
  },
  {
    name: "does not report a deletion of a replica that may be an expiry",
    file: "pubsub/standby/streams.ts",
    before: "consumers.includes(NOBODY)",
    after: "false",
    tests: ["tests/pubsub/standby/standby_test.ts"],
  },
  {
    name: "compares streams of servers that emit different events",
    file: "pubsub/standby/standby.ts",
    before: "if (problem !== null || histories === null) {",
    after: "if (histories === null) {",
    tests: ["tests/pubsub/standby/standby_test.ts"],
  },
];
