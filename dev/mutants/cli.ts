import type { Mutant } from "./mutant.ts";

/** Breakages of `cli/`. */
export const cli: readonly Mutant[] = [
  {
    name: "ends well though fewer came than were asked for",
    file: "cli/watch.ts",
    before: '    "red",\n    );\n    return 1;',
    after: '    "red",\n    );\n    return 0;',
    tests: ["tests/cli/watch_options_test.ts", "--filter=fails when fewer came"],
  },
  {
    name: "ends well after a failure",
    file: "cli/run.ts",
    before: 'output.note(`keywatch: ${why}`, "red");\n    return 1;',
    after: 'output.note(`keywatch: ${why}`, "red");\n    return 0;',
    tests: ["tests/cli/watch_test.ts", "--filter=no server there"],
  },
  {
    name: "takes wrong arguments for a failure",
    file: "cli/run.ts",
    before: "  return 2;\n",
    after: "  return 1;\n",
    tests: ["tests/cli/arguments_test.ts"],
  },
  {
    name: "ends well though the doctor finds something wrong",
    file: "cli/doctor.ts",
    before: "    return 1;\n",
    after: "    return 0;\n",
    tests: ["tests/cli/doctor_test.ts", "--filter=turns notifications on"],
  },
  {
    name: "prints one notification more than --count",
    file: "cli/watch.ts",
    before: "if (--left === 0) break;",
    after: "if (left-- === 0) break;",
    tests: ["tests/cli/watch_options_test.ts", "--filter=ends after so many"],
  },
  {
    name: "takes a duration that no timer can wait",
    file: "cli/numbers.ts",
    before: "2 ** 31 - 1",
    after: "2 ** 32",
    tests: ["tests/cli/arguments_test.ts"],
  },
  {
    name: "does not end at the second Ctrl-C",
    file: "cli/interrupt.ts",
    before: "    release();\n    controller",
    after: "    controller",
    tests: ["tests/cli/interrupt_test.ts"],
  },
  {
    name: "draws the screen after it was given back",
    file: "cli/top.ts",
    before: "    clearInterval(timer);\n",
    after: "",
    tests: ["tests/cli/top_test.ts", "--filter=slow terminal"],
  },
];
