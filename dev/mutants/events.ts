import type { Mutant } from "./mutant.ts";

/** Breakages of `events/`. */
export const events: readonly Mutant[] = [
  {
    name: "turns hidden flags off unsaid",
    file: "events/flags.ts",
    before: "unsure: only(added && HIDDEN,",
    after: 'unsure: only("",',
    tests: ["tests/events/flags_test.ts"],
  },
  {
    name: "asks for more flags than the events need",
    file: "events/flags.ts",
    before: "(most || classes || all)",
    after: "(all)",
    tests: ["tests/events/flags_test.ts"],
  },
  {
    name: "adds flags that are in force",
    file: "events/flags.ts",
    before: "only(needed, (letter) => !isInForce(configured, letter))",
    after: "needed",
    tests: ["tests/events/flags_test.ts"],
  },
  {
    name: "drops flags when it adds some",
    file: "events/flags.ts",
    before: "ordered(configured + added)",
    after: "ordered(added)",
    tests: ["tests/events/flags_test.ts"],
  },
  {
    name: "takes a letter for known one version too early",
    file: "events/flags.ts",
    before: '["n", 7, 0]',
    after: '["n", 6, 2]',
    tests: ["tests/events/flags_test.ts"],
  },
  {
    name: "takes a channel for silent only where its channel type is missing",
    file: "events/flags.ts",
    before: "can(type!) && classes.some(can)",
    after: "can(type!)",
    tests: ["tests/events/flags_test.ts"],
  },
  {
    name: "says that every server emits an event that only some know",
    file: "events/event.ts",
    before: '["o", SINCE_REDIS_8_6,',
    after: '["o", ALL_SERVERS,',
    tests: ["tests/events/event_test.ts"],
  },
  {
    name: "knows one command less that emits no event of its own name",
    file: "events/event.ts",
    before: '"LMOVE, BLMOVE"',
    after: '"BLMOVE"',
    tests: ["tests/events/event_test.ts"],
  },
];
