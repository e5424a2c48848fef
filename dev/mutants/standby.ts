import type { Mutant } from "./mutant.ts";

const FILE = "pubsub/standby/matcher.ts";
const TESTS = ["tests/pubsub/standby/matcher_test.ts"];

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
];
