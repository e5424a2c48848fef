import { sinceWhen, unknownFlags } from "../../events/flags.ts";
import {
  type Address,
  formatAddress,
  type KeyspaceNotifications,
  type NodeStatus,
  ServerError,
  type SlotRange,
} from "../../mod.ts";
import { requiredFlags } from "../../events/mod.ts";
import type { Reply } from "../../resp/mod.ts";
import { messageOf } from "../message.ts";
import { fieldsOf, Session } from "../session.ts";
import type { Checkup } from "./checkup.ts";
import { Findings, type Section } from "./finding.ts";
import { checkFences } from "./fences.ts";
import { checkFlags } from "./flags.ts";
import { redisCli, shellWord, shownUser } from "./fixes.ts";
import { probe } from "./probe.ts";
import { checkSubscribing, watchNode } from "./subscribing.ts";

/** A server to look at. */
export interface NodePlan {
  readonly address: Address;
  /** What a cluster says it is; null for a server by itself. */
  readonly role: "primary" | "replica" | null;
  /** In a cluster the slots it owns; null for a server by itself. */
  readonly slots: readonly SlotRange[] | null;
}

/** Below these sizes, in bytes, a client that reads a little late is cut off. */
const LEAST_HARD_LIMIT = 1024 * 1024;

const DEFAULT_LIMITS = "pubsub 33554432 8388608 60";

/** Looks at one server from reaching it to the notification of a key. */
export async function examineNode(plan: NodePlan, checkup: Checkup): Promise<Section> {
  const { address, role } = plan;
  const findings = new Findings();
  const title = formatAddress(address) + (role === null ? "" : `, ${role}`);
  let notifications: KeyspaceNotifications | undefined;
  let session: Session | undefined;
  try {
    const start = performance.now();
    notifications = await watchNode(address, checkup);
    session = await Session.open({ ...checkup.target, address }, checkup.signal);
    const tls = checkup.target.tls === undefined ? "" : ", over TLS";
    findings.right("reached", `in ${Math.round(performance.now() - start)} ms${tls}`);
    await look(plan, checkup, findings, notifications, session);
  } catch (error) {
    checkup.signal.throwIfAborted();
    const topic = findings.all.length === 0 ? "reached" : "broken off";
    findings.wrong(topic, messageOf(error), ...(role === null ? [] : ANNOUNCED));
  } finally {
    session?.close();
    await notifications?.close();
  }
  return { title, findings: findings.all };
}

const ANNOUNCED = [
  "this is where the cluster says that the node is: if that is an address of its own network, set " +
  "cluster-announce-ip on the node, or give connect the option addressMap",
];

async function look(
  plan: NodePlan,
  checkup: Checkup,
  findings: Findings,
  notifications: KeyspaceNotifications,
  session: Session,
): Promise<void> {
  const { address } = plan;
  const { target, selection } = checkup;
  const status = notifications.status().nodes[0]!;
  checkVersion(status, requiredFlags(...selection.needs), findings);
  const isPrimary = await checkRole(plan, status, session, findings);
  findings.right(
    "protocol",
    status.protocol === 3 ? "RESP3" : "RESP2: it has no RESP3, or a proxy before it has none",
  );
  if (target.db !== "*") await checkDatabase(target.db, session, findings);
  const user = await whoAmI(session, shownUser(target) ?? "default");
  await checkFlags(session, address, user, checkup, findings);
  if (plan.role !== "replica") {
    await checkSubscribing(notifications, user, address, checkup, findings);
  }
  const { slots } = plan;
  if (plan.role === "primary" && slots !== null && slots.length > 0) {
    await checkFences({ address, slots, user }, checkup, findings);
  }
  await checkFlushes({ address, user, session }, checkup, findings);
  await checkBuffer(session, address, checkup, findings);
  if (!checkup.probe || plan.role === "replica" || findings.has("wrong", "database")) return;
  if (isPrimary) {
    await probe({ address, notifications, session, slots, user }, checkup, findings);
    if (findings.has("right", "probe")) findings.spareMend("flags");
  } else findings.unknown("probe", "a replica takes no writes: give --url of its primary");
}

function checkVersion(
  { software, version }: NodeStatus,
  needed: string,
  findings: Findings,
): void {
  if (software === null || version === null) {
    return findings.unknown("version", "it does not tell what it is");
  }
  const unknown = unknownFlags(needed, { software, version });
  if (unknown === "") return findings.right("version", `${software} ${version}`);
  findings.wrong(
    "version",
    `${software} ${version} does not know "${unknown}", which is needed: ${sinceWhen(unknown)} ` +
      "brought it",
  );
}

/** @returns whether it takes writes */
async function checkRole(
  plan: NodePlan,
  { role: is }: NodeStatus,
  session: Session,
  findings: Findings,
): Promise<boolean> {
  const wanted = plan.role ?? "primary";
  if (is === null) {
    findings.unknown("role", "it does not tell whether it is a primary or a replica");
    return true;
  }
  if (is === wanted) findings.right("role", is);
  else if (plan.role !== null) {
    findings.warning("role", `the cluster calls it a ${plan.role}, and it says ${is}: a failover?`);
  } else {
    const primary = primaryOf(session, await session.ask("ROLE"));
    findings.warning(
      "role",
      "replica: of keys that expire it sends del in place of expired, and writes belong elsewhere",
      ...(primary === null ? [] : [`its primary: --url ${shellWord(`redis://${primary}`)}`]),
    );
  }
  return is === "primary";
}

/** The primary that the answer of a replica to `ROLE` names. */
function primaryOf({ connection }: Session, reply: Reply): string | null {
  if (!Array.isArray(reply)) return null;
  const [, hostname, port] = reply;
  if (typeof hostname !== "string" || typeof port !== "number") return null;
  if (!connection.secrets.allowsName(hostname)) return null;
  return formatAddress({ hostname, port });
}

async function checkDatabase(db: number, session: Session, findings: Findings): Promise<void> {
  const reply = await session.ask("SELECT", db);
  if (!(reply instanceof ServerError)) findings.right("database", `${db} is there`);
  else if (/out of range|not allowed in cluster mode/i.test(reply.message)) {
    findings.wrong(
      "database",
      `there is no database ${db}: ${reply.message}`,
      "CONFIG GET databases shows how many there are; the first is 0",
    );
  } else findings.unknown("database", `it does not show database ${db}: ${reply.message}`);
}

async function whoAmI(session: Session, otherwise: string): Promise<string> {
  const reply = await session.ask("ACL", "WHOAMI");
  return session.shown(reply) ?? otherwise;
}

/** Whether the option `flushes` of the library, and `watch --flushes`, can work. */
async function checkFlushes(
  { address, user, session }: { address: Address; user: string; session: Session },
  { target }: Checkup,
  findings: Findings,
): Promise<void> {
  const topic = "flushes";
  const reply = await session.ask("CLIENT", "TRACKING", "ON", "OPTIN");
  if (!(reply instanceof ServerError)) {
    await session.ask("CLIENT", "TRACKING", "OFF");
    return findings.right(topic, "FLUSHALL and FLUSHDB can be observed");
  }
  const text = `FLUSHALL and FLUSHDB cannot be observed: ${reply.message}`;
  if (reply.code !== "NOPERM") return findings.unknown(topic, text);
  const admin = redisCli(address, { ...target, username: undefined });
  findings.warning(topic, text, `${admin} ACL SETUSER ${shellWord(user)} '+client|tracking'`);
}

async function checkBuffer(
  session: Session,
  address: Address,
  { target }: Checkup,
  findings: Findings,
): Promise<void> {
  const setting = "client-output-buffer-limit";
  const reply = await session.ask("CONFIG", "GET", setting);
  const value = reply instanceof ServerError ? undefined : fieldsOf(reply)?.get(setting);
  const limits = typeof value === "string" ? /\bpubsub (\d+) (\d+) (\d+)/.exec(value) : null;
  if (limits === null) {
    return findings.unknown(
      "buffer",
      "it does not show how far a consumer may be behind before it is disconnected",
    );
  }
  const [hard, soft, seconds] = limits.slice(1).map(Number) as [number, number, number];
  const parts = [
    ...(hard === 0 ? [] : [`at ${formatBytes(hard)}`]),
    ...(soft === 0 || seconds === 0 ? [] : [`at ${formatBytes(soft)} for ${seconds} s`]),
  ];
  const text = parts.length === 0
    ? "a reader may be behind without limit"
    : `a reader who is behind is cut off ${parts.join(", or ")}`;
  if (hard === 0 || hard >= LEAST_HARD_LIMIT) return findings.right("buffer", text);
  findings.warning(
    "buffer",
    `${text}, which a burst of notifications may reach: then there is a gap`,
    `${redisCli(address, target)} CONFIG SET ${setting} '${DEFAULT_LIMITS}'`,
  );
}

function formatBytes(bytes: number): string {
  const [unit, size] = bytes >= 2 ** 20 ? ["MB", 2 ** 20] as const : ["kB", 2 ** 10] as const;
  return `${Number((bytes / size).toFixed(1))} ${unit}`;
}
