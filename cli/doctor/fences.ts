import { hashSlot, includesSlot } from "../../cluster/discovery/mod.ts";
import { type Address, ServerError, type SlotRange } from "../../mod.ts";
import { messageOf } from "../message.ts";
import { Session } from "../session.ts";
import type { Checkup } from "./checkup.ts";
import type { Findings } from "./finding.ts";
import { redisCli, shellWord } from "./fixes.ts";

const TOPIC = "fences";

/** Commands whose replies tell migration artefacts from events, and the rights to them. */
const QUESTIONS: readonly [right: string, ...command: [string, ...string[]]][] = [
  ["+cluster|info", "CLUSTER", "INFO"],
  ["+cluster|nodes", "CLUSTER", "NODES"],
  ["+cluster|migration", "CLUSTER", "MIGRATION", "STATUS", "ALL"],
  ["+cluster|getslotmigrations", "CLUSTER", "GETSLOTMIGRATIONS"],
];

const WITHOUT = "while slots migrate, events that nothing happened to are delivered too, marked " +
  '"maybe"';

/** Checks whether a user may do what it takes to tell migration artefacts from events. */
export async function checkFences(
  { address, slots, user }: { address: Address; slots: readonly SlotRange[]; user: string },
  { target, signal }: Checkup,
  findings: Findings,
): Promise<void> {
  let session: Session | undefined;
  try {
    session = await Session.open({ ...target, address }, signal);
    const lacking: string[] = [];
    for (const [right, ...command] of QUESTIONS) {
      // A server that does not know the command needs no right to it.
      if (isDenied(await session.ask(...command))) lacking.push(right);
    }
    const refusal = await setFence(session, slots);
    if (isDenied(refusal)) lacking.unshift("+ssubscribe");
    else if (refusal instanceof ServerError && refusal.code === "ERR") {
      return findings.warning(TOPIC, `it has no SSUBSCRIBE (${refusal.message}): ${WITHOUT}`);
    } else if (refusal !== null && !(refusal instanceof ServerError)) throw refusal;
    if (lacking.length === 0) {
      return findings.right(TOPIC, "migration artefacts can be distinguished from events");
    }
    // As somebody who may.
    const admin = redisCli(address, { ...target, username: undefined });
    findings.warning(
      TOPIC,
      `the user lacks ${lacking.join(" ")}: ${WITHOUT}`,
      `${admin} ACL SETUSER ${shellWord(user)} ${lacking.map(shellWord).join(" ")}`,
    );
  } catch (error) {
    signal.throwIfAborted();
    findings.unknown(TOPIC, messageOf(error));
  } finally {
    session?.close();
  }
}

function isDenied(reply: unknown): boolean {
  return reply instanceof ServerError && reply.code === "NOPERM";
}

/** Subscribes to a shard channel of one of the slots; returns the refusal, or null. */
function setFence({ connection }: Session, slots: readonly SlotRange[]): Promise<Error | null> {
  let tag = 0;
  while (!includesSlot(slots, hashSlot(`${tag}`))) tag++;
  const channel = new TextEncoder().encode(`__keyspace@0__:{${tag}}`);
  return new Promise((resolve) =>
    connection.subscribeShard([channel], (_, error) => resolve(error))
  );
}
