/** The contract: what the package does in every runtime. */
import { alone } from "../alone/cases.mjs";
import { connecting } from "./connecting.mjs";
import { failing } from "./failing.mjs";
import { reading } from "./reading.mjs";
import { securing } from "./securing.mjs";
import { subscribing } from "./subscribing.mjs";
import { transporting } from "./transport.mjs";

/** Each has a `name` and `run(scene)`, which throws when the runtime does not keep the contract. */
export const cases = [
  ...alone,
  ...connecting,
  ...subscribing,
  ...reading,
  ...failing,
  ...securing,
  ...transporting,
];
