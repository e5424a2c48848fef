import { messageOf } from "../../cli/message.ts";
import { delay } from "../../pubsub/connection/timers.ts";

/** A notification that a step of the workload must cause. */
export interface Expected {
  readonly database: number;
  readonly event: string;
  readonly key: string;
}

/** One command, and the events that the server must emit for it. */
interface Step {
  readonly database: number;
  readonly command: readonly string[];
  /** Events of the command, in order, with their keys. */
  readonly events: readonly (readonly [event: string, key: string])[];
}

/** How long an order may stay unpaid, a session idle, in ms. Short, so that a demo sees the end. */
const ORDER_TTL = "2200";
const SESSION_TTL = "1800";
const OFFER_TTL = "1200";

function step(database: number, command: string, ...events: string[]): Step {
  const words = command.split(" ");
  return {
    database,
    command: words,
    events: events.map((event) => {
      const [name = "", key = words[1] ?? ""] = event.split(" ");
      return [name, key] as const;
    }),
  };
}

/** A shop's afternoon in six seconds: orders in database 0, sessions in database 1. */
const STEPS: readonly Step[] = [
  step(1, `SET session:ana signed-in PX ${SESSION_TTL}`, "set", "expire", "expired"),
  step(0, "HSET product:42 name Lamp price 39", "hset"),
  step(0, "SET cache:product:42 {...}", "set"),
  step(0, `SET order:1001 unpaid PX ${ORDER_TTL}`, "set", "expire", "expired"),
  step(0, "INCR visits", "incrby"),
  step(0, "RPUSH mail:outbox order-1001-received", "rpush"),
  step(1, "SET session:bo signed-in PX 60000", "set", "expire"),
  step(0, "HSET product:42 price 35", "hset"),
  step(0, "DEL cache:product:42", "del"),
  step(0, "SET order:1002 unpaid PX 60000", "set", "expire"),
  step(0, "PERSIST order:1002", "persist"),
  step(0, "SET order:1002 paid", "set"),
  step(0, "HINCRBY product:42 stock -1", "hincrby"),
  step(0, "ZADD bestsellers 1 product:42", "zadd"),
  step(0, "LPOP mail:outbox", "lpop", "del"),
  step(0, "INCRBY visits 3", "incrby"),
  step(1, "EXPIRE session:bo 600", "expire"),
  step(0, `SET offer:lamp 10% PX ${OFFER_TTL}`, "set", "expire", "expired"),
  step(0, "SADD basket:ana product:42 product:7", "sadd"),
  step(0, "SREM basket:ana product:7", "srem"),
  step(0, "RENAME basket:ana order:1003", "rename_from", "rename_to order:1003"),
  step(0, "XADD audit * event checkout user ana", "xadd"),
  step(0, "ZINCRBY bestsellers 2 product:42", "zincr"),
  step(0, `SET order:1004 unpaid PX ${ORDER_TTL}`, "set", "expire", "expired"),
  step(0, "HDEL product:42 stock", "hdel"),
  step(0, "SET cache:产品:42 {...}", "set"),
  step(0, "UNLINK cache:产品:42", "del"),
  step(1, "DEL session:bo", "del"),
];

const PAUSE = 90;

/** Every notification that the workload must cause. */
export function expectations(): Expected[] {
  return STEPS.flatMap(({ database, events }) =>
    events.map(([event, key]) => ({ database, event, key }))
  );
}

/**
 * Runs the workload, about three seconds of it; keys go on expiring for two more.
 *
 * @param run sends a command and waits for its reply
 * @param signal stops it
 * @throws {Error} what a command failed with
 */
export async function runWorkload(
  run: (...command: string[]) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  let selected = 0;
  for (const { database, command } of STEPS) {
    if (database !== selected) await run("SELECT", String(database));
    selected = database;
    try {
      await run(...command);
    } catch (cause) {
      throw new Error(`Cannot run ${command.join(" ")}: ${messageOf(cause)}`, { cause });
    }
    await delay(PAUSE, signal);
  }
}
