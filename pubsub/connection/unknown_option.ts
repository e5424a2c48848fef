import { nearest } from "./nearest.ts";
import { excerpt } from "./printable.ts";

const IN_ADDRESS = 'the address says that, as in connect({ host, port, database }) or "redis://…"';

/** What to write in place of options of other clients, and of names that are not near. */
const INSTEAD: { readonly [name: string]: string } = {
  database: IN_ADDRESS,
  db: IN_ADDRESS,
  host: IN_ADDRESS,
  hostname: IN_ADDRESS,
  port: IN_ADDRESS,
  path: IN_ADDRESS,
  url: IN_ADDRESS,
  connectTimeout: "write timeout",
  retryStrategy: "write maxAttempts",
  reconnectStrategy: "write maxAttempts",
  "queue.size": "write queue.items",
  "queue.max": "write queue.items",
  "queue.policy": "write queue.overflow",
  "tls.rejectUnauthorized": "certificates are always checked; name the CA that signed it in tls.ca",
};

/**
 * Makes the error for an option that does not exist.
 *
 * @param path what stands before the names, such as `queue.`
 */
export function unknownOption(name: string, known: readonly string[], path: string): TypeError {
  const near = nearest(name, known);
  const advice = Object.hasOwn(INSTEAD, path + name)
    ? INSTEAD[path + name]
    : near === undefined
    ? `the options are ${known.map((each) => path + each).join(", ")}`
    : `did you mean ${path}${near}?`;
  return new TypeError(
    `Cannot use the option ${path}${excerpt(name, 100)}: it is unknown; ${advice}`,
  );
}
