import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import {
  type Address,
  type ClusterOptions,
  formatAddress,
  parseUrl,
  type ServerUrl,
  type TlsOptions,
} from "../mod.ts";
import { type Arguments, type OptionGroup, quoted, UsageError } from "./command.ts";
import { readVariable } from "./environment.ts";
import { messageOf } from "./message.ts";

const DEFAULT_PORT = 6379;
const DEFAULT_URL = `redis://localhost:${DEFAULT_PORT}`;

/** The options that every command which connects takes; their letters are those of `redis-cli`. */
export const CONNECTION: OptionGroup = {
  title: "Connection",
  options: {
    url: {
      type: "string",
      short: "u",
      value: "URL",
      help: "the server, or any node of a cluster, as redis://host:port/db, rediss://… or " +
        "redis+unix:///path, or the same with valkey in place of redis. Default: $REDIS_URL, " +
        `else ${DEFAULT_URL}`,
    },
    "server-host": {
      type: "string",
      short: "h",
      value: "HOST",
      help: "the host of the server, in place of --url. Default: localhost. Without a value, -h " +
        "prints this help",
    },
    "server-port": {
      type: "string",
      short: "p",
      value: "PORT",
      help: "the port of the server, in place of --url. Default: 6379",
    },
    socket: {
      type: "string",
      short: "s",
      value: "PATH",
      help: "the unix socket of the server, in place of --url",
      words: "file",
    },
    user: {
      type: "string",
      value: "NAME",
      help: "the ACL user. Default: that of the URL, else $REDIS_USERNAME",
    },
    password: {
      type: "string",
      short: "a",
      value: "TEXT",
      help: "the password. Default: that of the URL, else $REDIS_PASSWORD, where other users of " +
        "this machine do not see it",
    },
    db: {
      type: "string",
      short: "n",
      value: "N",
      help: "only this database. Default: that of the URL, else all",
    },
    tls: { type: "boolean", help: "uses TLS also if the URL is not rediss:// or valkeys://" },
    ca: {
      type: "string",
      value: "FILE",
      help: "PEM certificates of the authorities to trust. This and the following imply --tls",
      words: "file",
    },
    cert: {
      type: "string",
      value: "FILE",
      help: "the client's own PEM certificate, together with --key",
      words: "file",
    },
    key: { type: "string", value: "FILE", help: "the PEM key of --cert", words: "file" },
    servername: {
      type: "string",
      value: "NAME",
      help: "the name that the server's certificate must be for",
    },
  },
};

/** Paths of files in PEM, as they were given. */
export type TlsFiles = Readonly<Partial<Record<typeof TLS_FILES[number], string>>>;

const TLS_FILES = ["ca", "cert", "key"] as const;

/** The server or the cluster that a command is about, and who to be there. */
export interface Target {
  /** Its URL, without user and password. */
  readonly url: string;
  /** Where it listens. */
  readonly address: Address;
  /** The database that was asked for; `*` for all. */
  readonly db: number | "*";
  /** How to speak TLS; undefined for plain TCP and unix sockets. */
  readonly tls: TlsOptions | undefined;
  /** The files that the PEM in `tls` comes from, by their options. */
  readonly tlsFiles: TlsFiles;
  /** The ACL user; undefined for the default one. */
  readonly username: string | undefined;
  /** The password; undefined where none is needed. */
  readonly password: string | undefined;
}

/**
 * Reads what the arguments and the environment say of the server.
 *
 * @throws {UsageError} when that makes no sense
 * @throws {Error} when a file cannot be read
 */
export async function readTarget(args: Arguments): Promise<Target> {
  const server = readUrl(args);
  const { address } = server;
  const tlsFiles = readTlsFiles(args);
  const tls = await readTls(args, server, tlsFiles);
  const db = readDatabase(args) ?? server.database ?? "*";
  const username = args.text("user") ?? server.username ?? readVariable("REDIS_USERNAME");
  const password = args.text("password") ?? server.password ?? readVariable("REDIS_PASSWORD");
  if (username !== undefined && password === undefined) {
    throw new UsageError(
      "there is a user but no password; a password without a user is written redis://:password@host",
    );
  }
  const url = formatUrl(address, tls !== undefined, db);
  return { url, address, db, tls, tlsFiles, username, password };
}

/**
 * Reads what an option says of a second server: user, password and database are those of its URL.
 *
 * @throws {UsageError} when that makes no sense
 * @throws {Error} when a file cannot be read
 */
export async function readOtherTarget(
  args: Arguments,
  option: string,
  text: string,
): Promise<Target> {
  let server: ServerUrl;
  try {
    server = parseUrl(text);
  } catch (error) {
    throw new UsageError(`--${option}: ${messageOf(error)}`);
  }
  const { address, username, password, database: db = 0 } = server;
  const tlsFiles = readTlsFiles(args);
  const tls = server.tls === true ? await readTls(args, server, tlsFiles) : undefined;
  return {
    url: formatUrl(address, tls !== undefined, db),
    address,
    db,
    tls,
    tlsFiles,
    username,
    password,
  };
}

/** The options of `connect` that a target makes. */
export function connectOptions({ tls, username, password }: Target): ClusterOptions {
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

/** The URL of a server, without user and password. */
export function formatUrl(address: Address, tls: boolean, db: number | "*"): string {
  const isAll = db === "*";
  if ("path" in address) {
    const path = address.path.split("/").map(encodeURIComponent).join("/");
    return `redis+unix://${path}${isAll ? "" : `?db=${db}`}`;
  }
  return `${tls ? "rediss" : "redis"}://${formatAddress(address)}${isAll ? "" : `/${db}`}`;
}

function readUrl(args: Arguments): ServerUrl {
  const address = readAddress(args);
  if (address !== undefined) return { address };
  const given = args.text("url");
  const fromEnvironment = given === undefined ? readVariable("REDIS_URL") : undefined;
  try {
    return parseUrl(given ?? fromEnvironment ?? DEFAULT_URL);
  } catch (error) {
    const where = fromEnvironment === undefined ? "" : "$REDIS_URL: ";
    throw new UsageError(`${where}${messageOf(error)}`);
  }
}

/** The address in the words of `redis-cli`; undefined when none of them was given. */
function readAddress(args: Arguments): Address | undefined {
  const [hostname, port, path] = ["server-host", "server-port", "socket"].map((name) =>
    args.text(name)
  );
  if (hostname === undefined && port === undefined && path === undefined) return undefined;
  if (args.text("url") !== undefined) {
    throw new UsageError("--url already names the server; leave out -h, -p and -s");
  }
  if (path !== undefined) {
    if (hostname !== undefined || port !== undefined) {
      throw new UsageError("-s names a unix socket; leave out -h and -p");
    }
    if (path === "") throw new UsageError("-s takes the path of a unix socket");
    return { path };
  }
  const number = Number(port ?? DEFAULT_PORT);
  if (!/^\d{1,5}$/.test(port ?? "1") || number < 1 || number > 65_535) {
    throw new UsageError(`-p takes a port from 1 to 65535, not ${quoted(port!)}`);
  }
  return parseHost(hostname ?? "localhost", number);
}

function parseHost(host: string, port: number): Address {
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (isIPv6(address)) return { hostname: address, port };
  if (host !== "" && !/[\s/@?#:]/.test(host)) return { hostname: host, port };
  throw new UsageError("-h takes a host name or an address; a port goes after -p, a URL after -u");
}

function readDatabase(args: Arguments): number | "*" | undefined {
  const text = args.text("db");
  if (text === undefined || text === "*") return text;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--db takes the number of a database, or * for all, not ${quoted(text)}`);
}

function readTlsFiles(args: Arguments): TlsFiles {
  return Object.fromEntries(
    TLS_FILES.flatMap((name) => args.text(name) === undefined ? [] : [[name, args.text(name)]]),
  );
}

async function readTls(
  args: Arguments,
  server: ServerUrl,
  files: TlsFiles,
): Promise<TlsOptions | undefined> {
  const serverName = args.text("servername");
  const isImplied = serverName !== undefined || Object.keys(files).length > 0;
  if (server.tls !== true && !args.has("tls") && !isImplied) return undefined;
  if ("path" in server.address) throw new UsageError("TLS is not spoken over unix sockets");
  if ((files.cert === undefined) !== (files.key === undefined)) {
    throw new UsageError("--cert and --key belong together: give both or neither");
  }
  const contents: Partial<Record<keyof TlsFiles, Uint8Array>> = {};
  for (const name of TLS_FILES) {
    const path = files[name];
    if (path !== undefined) contents[name] = await readBytes(name, path);
  }
  return { ...contents, ...(serverName === undefined ? {} : { serverName }) };
}

async function readBytes(option: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`Cannot read the file of --${option}: ${messageOf(error)}`, { cause: error });
  }
}
