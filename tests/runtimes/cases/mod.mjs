/** The contract: what the package does in every runtime. */
import { alone } from "../alone/cases.mjs";
import { clustering } from "./clusters.mjs";
import { connecting } from "./connecting.mjs";
import { failing } from "./failing.mjs";
import { onlyConnecting } from "./one_connection.mjs";
import { loading } from "./loading.mjs";
import { reading } from "./reading.mjs";
import { returning } from "./returning.mjs";
import { securing } from "./securing.mjs";
import { following } from "./sentinels.mjs";
import { subscribing } from "./subscribing.mjs";
import { transporting } from "./transport.mjs";

/**
 * Each has a `name` and `run(scene)`, which throws when the runtime does not keep the contract; and
 * `needs`, what not every runtime has.
 */
export const cases = [
  ...alone,
  ...loading,
  ...connecting,
  ...onlyConnecting,
  ...subscribing,
  ...reading,
  ...failing,
  ...returning,
  ...following,
  ...clustering,
  ...securing,
  ...transporting,
];
