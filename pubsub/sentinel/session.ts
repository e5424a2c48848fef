import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import { MAX_PORT } from "../connection/address.ts";
import type { Connection, ConnectionOptions } from "../connection/connection.ts";
import { ConnectError } from "../connection/errors.ts";
import { type Introduced, openConnection } from "../connection/handshake.ts";
import type { Settings } from "../options.ts";
import { MOST_LEARNED } from "./order.ts";
import type { SentinelServer } from "./target.ts";
import { type Address, formatAddress, type TcpAddress } from "../connection/transport.ts";

/** The channels on which a sentinel says that the primary is another one. */
export const SWITCH_CHANNELS: readonly string[] = [
  // Every sentinel, when it has learned of it.
  "+switch-master",
  // The sentinel that leads the failover says the above only after it has informed all replicas.
  "+promoted-slave",
];

/** What one sentinel says of the primary. */
export interface SentinelView {
  /** Where it says that the primary listens. */
  readonly address: TcpAddress;
  /** Grows with each failover; null if the sentinel does not say. */
  readonly epoch: number | null;
  /** Where the other sentinels of this primary listen; null if it does not say. */
  readonly others: readonly TcpAddress[] | null;
}

/** How to speak with a sentinel. */
export interface SessionOptions extends
  Pick<
    Settings,
    "timeout" | "limits" | "secrets" | "clientName" | "resp2Servers" | "turns" | "addressMap"
  > {
  /** The primary's name. */
  readonly name: string;
}

/**
 * Connects to a sentinel.
 *
 * @throws {ConnectError} when there is none
 * @throws {AuthError} when it refuses the credentials or wants some
 * @throws {TimeoutError} when an answer does not come in time
 */
export async function openSentinel(
  { address, dial, credentials }: SentinelServer,
  options: SessionOptions,
  signal: AbortSignal,
  receive?: ConnectionOptions["receive"],
): Promise<Introduced> {
  const opened = await openConnection({
    ...options,
    // The option is for the servers.
    protocol: undefined,
    address,
    dial,
    credentials,
    signal,
    receive,
  });
  const { connection, info: { mode } } = opened;
  if (mode === null || mode === "sentinel") return opened;
  const error = noSentinel(connection);
  connection.close(error);
  throw error;
}

/**
 * Asks a sentinel where the primary is.
 *
 * @returns null when it knows no primary of that name
 * @throws {ConnectError} if it is not a sentinel, or forbids the command
 * @throws as {@linkcode Connection.request} does
 */
export async function readView(
  connection: Connection,
  name: string,
): Promise<SentinelView | null> {
  try {
    const [address, primary, others] = await Promise.all([
      connection.request("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
      // Not everybody who may ask for the address may ask for these.
      connection.request("SENTINEL", "MASTER", name).catch(unlessRefused),
      connection.request("SENTINEL", "SENTINELS", name).catch(unlessRefused),
    ]);
    if (address === null) return null;
    return {
      address: readAddress(connection, address),
      epoch: readEpoch(primary),
      others: Array.isArray(others) ? readOthers(connection, others) : null,
    };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    if (/unknown command/i.test(error.message)) throw noSentinel(connection, error);
    const { server } = connection;
    throw new ConnectError("COMMAND_REFUSED", `Cannot ask ${server}: ${error.message}`, {
      server,
      cause: error,
    });
  }
}

/**
 * Asks a sentinel where the replicas of the primary are, and which of them are well.
 *
 * @returns those that follow the primary, the ones that it would promote first
 */
export async function readReplicas(connection: Connection, name: string): Promise<TcpAddress[]> {
  const reply = await connection.request("SENTINEL", "REPLICAS", name);
  const replicas = (Array.isArray(reply) ? reply : []).flatMap((replica) => {
    const address = readPair(connection, fieldOf(replica, "ip"), fieldOf(replica, "port"));
    const [flags, link, priority, id] = ["flags", "master-link-status", "slave-priority", "runid"]
      .map((field) => String(fieldOf(replica, field)));
    const isWell = !/down|disconnected/.test(flags!) && link === "ok";
    // Priority 0 means that it is never promoted.
    const rank = Number(priority) || Infinity;
    return address !== null && isWell ? [{ address, rank, id: id! }] : [];
  });
  // Sentinels prefer the lower priority too, and then, of those that have received as much, the lower id.
  return replicas.sort((a, b) => a.rank === b.rank ? (a.id < b.id ? -1 : 1) : a.rank - b.rank)
    .map(({ address }) => address);
}

/**
 * Reads what a sentinel publishes on one of {@linkcode SWITCH_CHANNELS}.
 *
 * @param connection to the sentinel
 * @param channel the channel
 * @param text what came on it
 * @param name the primary's name
 * @returns where the new primary listens; null when it is about another one
 */
export function readSwitch(
  connection: Connection,
  channel: string,
  text: string,
  name: string,
): TcpAddress | null {
  const words = text.split(" ", 6);
  const toAddress = (hostname?: string, port?: string) => readPair(connection, hostname, port);
  // mymaster 10.0.0.1 6379 10.0.0.2 6379
  if (channel === "+switch-master" && words[0] === name) return toAddress(words[3], words[4]);
  // slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379
  if (channel === "+promoted-slave" && words[5] === name) return toAddress(words[2], words[3]);
  return null;
}

function unlessRefused(error: unknown): null {
  if (error instanceof ServerError) return null;
  throw error;
}

function noSentinel({ server }: Connection, cause?: ServerError): ConnectError {
  return new ConnectError(
    "WRONG_MODE",
    `Cannot ask ${server}: it is not a sentinel; sentinels listen on port 26379 by default`,
    { server, cause },
  );
}

function readAddress(connection: Connection, reply: Reply): TcpAddress {
  const { server } = connection;
  const [hostname, port] = Array.isArray(reply) ? reply : [];
  const address = readPair(connection, hostname, port);
  if (address !== null) return address;
  throw new ConnectError(
    "PROTOCOL_ERROR",
    `Cannot understand ${server}: its answer to SENTINEL is not a usable address`,
    { server },
  );
}

function readPair(
  { secrets }: Connection,
  hostname: Reply | undefined,
  port: Reply | undefined,
): TcpAddress | null {
  if (typeof hostname !== "string" || !secrets.allowsName(hostname)) return null;
  const number = typeof port === "string" && /^\d{1,5}$/.test(port) ? Number(port) : 0;
  return number >= 1 && number <= MAX_PORT ? { hostname, port: number } : null;
}

function readEpoch(reply: Reply): number | null {
  const text = fieldOf(reply, "config-epoch");
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Where other sentinels listen, without those that are found to be down; no more than are kept. */
function readOthers(connection: Connection, replies: readonly Reply[]): TcpAddress[] {
  const others: TcpAddress[] = [];
  for (const reply of replies) {
    if (others.length === MOST_LEARNED) break;
    const address = readPair(connection, fieldOf(reply, "ip"), fieldOf(reply, "port"));
    const flags = fieldOf(reply, "flags");
    const isDown = typeof flags === "string" && `,${flags},`.includes(",s_down,");
    if (address !== null && !isDown) others.push(address);
  }
  return others;
}

/** A field of the reply of a sentinel: a map in RESP3, a flat array in RESP2. */
function fieldOf(reply: Reply, name: string): Reply | undefined {
  if (reply instanceof RespMap) return reply.get(name);
  if (!Array.isArray(reply)) return undefined;
  const at = reply.findIndex((item, i) => i % 2 === 0 && item === name);
  return at < 0 ? undefined : reply[at + 1];
}

/** Whether two addresses are written alike. */
export function sameAddress(a: Address, b: Address): boolean {
  return formatAddress(a) === formatAddress(b);
}
