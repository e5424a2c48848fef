import { hashSlot, includesSlot } from "../../cluster/discovery/mod.ts";
import {
  type Address,
  ChannelType,
  KeyspaceChannel,
  type KeyspaceNotifications,
  type NotificationChannel,
  ServerError,
  type SlotRange,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
  SubscribeRefusedError,
} from "../../mod.ts";
import { messageOf } from "../message.ts";
import type { Selection } from "../selection.ts";
import { Session } from "../session.ts";
import type { Checkup } from "./checkup.ts";
import type { Findings } from "./finding.ts";
import { lacksCommand, redisCli, shellWord } from "./fixes.ts";
import { fixRefusal } from "./subscribing.ts";

const TOPIC = "probe";

/** What all keys that are touched begin with. */
const PREFIX = "keywatch:probe:";

/** How long the first attempt may take before others are made, and all of them, in ms. */
const FIRST = 500;
const LIMIT = 3_000;

/** How long an interrupted probe may take to clean up, in ms. */
const PARTING = 1_000;

/** How long a key lives that a probe could not delete, in s. */
const LIFETIME = 60;

/** A command, after its name the key. */
type Step = readonly [command: string, ...args: (string | number)[]];

/** The field that is touched of a hash. */
const FIELD = "field";

/** Ways to make events, each with those it makes on a server that sends all. */
const WAYS: readonly { readonly events: readonly string[]; readonly steps: readonly Step[] }[] = [
  { events: ["set", "new", "expire"], steps: [["SET", "1", "EX", LIFETIME]] },
  { events: ["hset", "new", "expire"], steps: [["HSET", FIELD, "1"], ["EXPIRE", LIFETIME]] },
  { events: ["hdel", "del"], steps: [["HSET", FIELD, "1"], ["HDEL", FIELD]] },
  { events: ["lpush", "expire"], steps: [["LPUSH", "1"], ["EXPIRE", LIFETIME]] },
  { events: ["rpush", "expire"], steps: [["RPUSH", "1"], ["EXPIRE", LIFETIME]] },
  { events: ["sadd", "expire"], steps: [["SADD", "1"], ["EXPIRE", LIFETIME]] },
  { events: ["zadd", "expire"], steps: [["ZADD", 1, "1"], ["EXPIRE", LIFETIME]] },
  { events: ["xadd", "expire"], steps: [["XADD", "*", "f", "1"], ["EXPIRE", LIFETIME]] },
  { events: ["incrby"], steps: [["INCR"], ["EXPIRE", LIFETIME]] },
  { events: ["append"], steps: [["APPEND", "1"], ["EXPIRE", LIFETIME]] },
  { events: ["persist"], steps: [["SET", "1", "EX", LIFETIME], ["PERSIST"]] },
  { events: ["del"], steps: [["SET", "1", "EX", LIFETIME], ["DEL"]] },
  // Asked for after its time, it is deleted then and there.
  { events: ["expired"], steps: [["SET", "1", "PX", 1], ["PAUSE"], ["EXISTS"]] },
  { events: ["keymiss"], steps: [["GET"]] },
];

/** The wait that is one of the steps. */
const PAUSE = 20;

/** A server, and what it is probed through. */
export interface ProbedNode {
  readonly address: Address;
  /** Hears what comes. */
  readonly notifications: KeyspaceNotifications;
  /** Touches the key. */
  readonly session: Session;
  /** In a cluster the slots that are its own; null otherwise. */
  readonly slots: readonly SlotRange[] | null;
  /** Who this is, for the commands that give rights. */
  readonly user: string;
}

/** Touches a key of its own and waits for its notification. */
export async function probe(
  node: ProbedNode,
  checkup: Checkup,
  findings: Findings,
): Promise<void> {
  const { selection, target } = checkup;
  const db = target.db === "*" ? 0 : target.db;
  const ways = waysFor(selection);
  if (ways.length === 0) {
    const events = selection.events.join(", ");
    return findings.unknown(TOPIC, `no probe can make ${events} happen; watch for it, and see`);
  }
  if (node.slots !== null && node.slots.length === 0) {
    return findings.right(TOPIC, "it has no slots, and so no key to touch");
  }
  const key = keyFor(node.slots);
  const admin = redisCli(node.address, { ...target, username: undefined });
  const grant = `${admin} ACL SETUSER ${shellWord(node.user)}`;
  let hear = (_event: string) => {};
  const heard = new Promise<string>((resolve) => hear = resolve);
  try {
    await node.notifications.subscribe(...channelsFor(selection, key, target.db), {
      handler: ({ key: touched, eventType }) => {
        if (touched === key && selection.takes(eventType)) hear(eventType);
      },
    });
  } catch (error) {
    if (!(error instanceof SubscribeRefusedError)) throw error;
    const { refused } = error;
    // The same may be refused as was before.
    const told = new Set(findings.all.flatMap(({ fix }) => fix));
    return findings.unknown(
      TOPIC,
      `the channel of a key of its own may not be subscribed: ${refused[0]!.error.message}`,
      ...fixRefusal(refused, node.user, node.address, checkup).filter((line) => !told.has(line)),
    );
  }
  const [first] = ways;
  try {
    await node.session.command("SELECT", db);
    await walk(node.session, key, [first!]);
    let event = await within(heard, FIRST, checkup.signal);
    if (event === null) {
      // Its class may be off, and another be on.
      await walk(node.session, key, ways.slice(1));
      event = await within(heard, LIMIT - FIRST, checkup.signal);
    }
    if (event === null) {
      // This program may be slow, too: what was sent before an answer has come when that has.
      await awaitAnswer(node.notifications, key, db);
      event = await within(heard, FIRST, checkup.signal);
    }
    if (event !== null) return findings.right(TOPIC, `${event} of ${key} came, as it should`);
    const tried = ways.map(({ events }) => events.find((event) => selection.takes(event))!);
    findings.wrong(
      TOPIC,
      `nothing came within ${LIMIT / 1000} s of ${[...new Set(tried)].join(", ")}` +
        (findings.has("wrong", "flags") ? ", as the flags let expect" : ""),
      ...(findings.has("right", "flags")
        ? [
          "the flags are right, so something between drops it: a proxy, or another server behind " +
          "the same name",
        ]
        : []),
    );
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const verbs = [...new Set(ways.flatMap(({ steps }) => steps.map(([name]) => name)))]
      .filter((name) => name !== "PAUSE").concat("DEL", "SELECT")
      .map((name) => `+${name.toLowerCase()}`).join(" ");
    const rights = lacksCommand(error) ? verbs : shellWord(`~${PREFIX}*`);
    findings.unknown(
      TOPIC,
      `${key} could not be touched: ${messageOf(error)}`,
      ...(error.code === "NOPERM" ? [`${grant} ${rights}`] : []),
    );
  } finally {
    await clean(node, key, checkup);
  }
}

/** Deletes the key, also when the user wants all of it to end. */
async function clean(
  { session, address }: ProbedNode,
  key: string,
  checkup: Checkup,
): Promise<void> {
  const { target, signal } = checkup;
  let other: Session | undefined;
  try {
    if (signal.aborted) {
      other = await Session.open({ ...target, address }, AbortSignal.timeout(PARTING));
    }
    await (other ?? session).ask("SELECT", target.db === "*" ? 0 : target.db);
    await (other ?? session).ask("DEL", key);
  } catch {
    // It lives no longer than it was given.
  } finally {
    other?.close();
  }
}

/** The ways that make something of what is asked for. */
function waysFor(selection: Selection): typeof WAYS {
  const isOfFields = selection.fields.length > 0;
  return WAYS.filter(({ events, steps }) =>
    events.some((event) => selection.takes(event)) &&
    (!isOfFields || steps.some(([name]) => name.startsWith("H")))
  );
}

/** A key that nobody has, in a cluster in one of these slots. */
export function keyFor(slots: readonly SlotRange[] | null): string {
  const name = `${PREFIX}${crypto.randomUUID().slice(0, 8)}`;
  if (slots === null) return name;
  for (let i = 0;; i++) {
    const key = `${name}:${i}`;
    if (includesSlot(slots, hashSlot(key))) return key;
  }
}

/**
 * What to subscribe to hear of the key: channels of the types that are asked for, and patterns
 * where patterns are asked for. An ACL allows a pattern that it names alone, so it is always the same.
 */
function channelsFor(
  { channels }: Selection,
  key: string,
  db: number | "*",
): NotificationChannel[] {
  const all = channels.map((channel): NotificationChannel => {
    const { isPattern, type } = channel;
    const name = isPattern ? `${PREFIX}*` : key;
    const options = { db, as: isPattern ? "pattern" : "exact" } as const;
    switch (type) {
      case ChannelType.SUBKEYSPACE:
        return new SubkeyspaceChannel(name, options);
      case ChannelType.SUBKEYSPACEITEM:
        return new SubkeyspaceitemChannel(name, FIELD, options);
      case ChannelType.SUBKEYSPACEEVENT:
        return SubkeyspaceeventChannel.pattern("*", name, { db });
      case ChannelType.KEYEVENT:
        return channel;
      default:
        return new KeyspaceChannel(name, options);
    }
  });
  return [...new Map(all.map((channel) => [`${channel}`, channel])).values()];
}

/** Waits for an answer on the connection that hears, whatever it is. */
async function awaitAnswer(
  notifications: KeyspaceNotifications,
  key: string,
  db: number,
): Promise<void> {
  try {
    await notifications.subscribe(KeyspaceChannel.exact(`${key}:end`, { db }), { handler() {} });
  } catch (error) {
    if (!(error instanceof SubscribeRefusedError)) throw error;
  }
}

async function walk(session: Session, key: string, ways: typeof WAYS): Promise<void> {
  for (const { steps } of ways) {
    for (const [name, ...args] of steps) {
      if (name === "PAUSE") await new Promise((resolve) => setTimeout(resolve, PAUSE));
      else await session.command(name, key, ...args);
    }
    // Another type may follow.
    await session.command("DEL", key);
  }
}

/**
 * What a promise gives; null when that takes longer.
 *
 * @throws the reason for which the signal is aborted
 */
async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | null> {
  let stop = () => {};
  const late = new Promise<null>((resolve, reject) => {
    const timer = setTimeout(() => resolve(null), ms);
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop();
  }
}
