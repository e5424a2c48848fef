import type { ServerBinary } from "./binary.ts";
import type { ServerConfig, ServerControl, ServerOptions } from "./server_process.ts";

/** The variable that has the address of the test runner's pool. */
export const POOL_VARIABLE = "TEST_POOL";

/** What a test wants of the pool. */
export interface LeaseRequest {
  /** The one that the pool finds if `null`, so that not every test file looks for it. */
  binary: ServerBinary | null;
  /** The size of a cluster; `null` for a single server. */
  cluster: { primaries: number; replicas: number } | null;
  config: Record<string, string>;
  acl: string[];
  password: string | null;
}

/** A server as the pool describes it. */
export interface LeasedNode {
  binary: ServerBinary;
  dir: string;
  ports: Record<string, number>;
  pid: number;
}

/** What a test may do to the process of a leased server; the pool does not lease it again then. */
export interface LeaseCall {
  node: number;
  method: "kill" | "restart" | "pause" | "resume";
  args: unknown[];
}

/** The pool's answer. */
export interface LeaseAnswer {
  error?: string;
  result?: unknown;
  /** The process of the node after a call; `null` if it does not run. */
  pid?: number | null;
}

/** Directives that can be changed while a server runs, and put back. */
const CHANGEABLE = new Set([
  "client-output-buffer-limit",
  "cluster-node-timeout",
  "cluster-require-full-coverage",
  "lua-time-limit",
  "notify-keyspace-events",
]);

/** The request for such a server, or `null` if it must be started with these options. */
function requestFor(
  options: ServerOptions,
  cluster: LeaseRequest["cluster"],
): LeaseRequest | null {
  const { binary = null, config = {}, acl = [], password = null, ...others } = options;
  if (Object.values(others).some((value) => value !== undefined)) return null;
  if (acl.some((rule) => rule.startsWith("default "))) return null;
  const entries = Object.entries(config);
  if (entries.some(([name, value]) => !CHANGEABLE.has(name) || Array.isArray(value))) return null;
  return {
    binary,
    cluster,
    config: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])),
    acl,
    password,
  };
}

/** A connection that takes and gives lines of JSON. */
export class JsonLines {
  readonly #connection: Deno.Conn;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(16_384);
  #rest = "";
  #isClosed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  async write(value: unknown): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** The next value, or `undefined` once the connection has ended. */
  async read(): Promise<unknown> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line);
      }
      const length = await this.#connection.read(this.#buffer).catch(() => null);
      if (length === null) return undefined;
      this.#rest += this.#decoder.decode(this.#buffer.subarray(0, length), { stream: true });
    }
  }

  /** May be called again. */
  close(): void {
    if (!this.#isClosed) this.#connection.close();
    this.#isClosed = true;
  }
}

/** Servers that the pool gave to a test; it takes them back once the connection to it ends. */
export class Lease implements AsyncDisposable {
  readonly #lines: JsonLines;
  #last: Promise<unknown> = Promise.resolve();
  #isOver = false;
  #nodes: readonly LeasedProcess[] = [];

  private constructor(connection: Deno.Conn) {
    this.#lines = new JsonLines(connection);
  }

  /**
   * Leases a server, or a cluster, that is as if just started with these options.
   *
   * @param path the socket of the pool
   * @returns `null` where there is no pool, or no such server in it
   */
  static async take(
    options: ServerOptions,
    cluster: LeaseRequest["cluster"] = null,
    path: string | undefined = Deno.env.get(POOL_VARIABLE),
  ): Promise<Lease | null> {
    if (path === undefined) return null;
    const request = requestFor(options, cluster);
    if (request === null) return null;
    const lease = new Lease(await Deno.connect({ transport: "unix", path }));
    try {
      const { error, result } = await lease.send(request);
      if (error === undefined) {
        lease.#nodes = (result as LeasedNode[]).map((node, i) => {
          return new LeasedProcess(lease, i, node);
        });
        return lease;
      }
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
    // Started with these options, a server says itself what is wrong with them.
    await lease[Symbol.asyncDispose]();
    return null;
  }

  get nodes(): readonly LeasedProcess[] {
    return this.#nodes;
  }

  /** Whether the servers were given back, so that they may be another test's now. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends one line and waits for its answer, after those sent before. */
  send(message: LeaseRequest | LeaseCall): Promise<LeaseAnswer> {
    const answer = this.#last.then(async () => {
      await this.#lines.write(message);
      const answer = await this.#lines.read();
      if (answer === undefined) throw new Error("The pool of servers is gone");
      return answer as LeaseAnswer;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Gives the servers back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#last;
    this.#lines.close();
  }
}

/** A server whose process is the pool's. */
class LeasedProcess implements ServerControl {
  readonly #lease: Lease;
  readonly #index: number;
  readonly binary: ServerBinary;
  readonly dir: string;
  readonly ports: Readonly<Record<string, number>>;
  #pid: number | null;
  #stopped: Promise<unknown> | undefined;

  constructor(lease: Lease, index: number, node: LeasedNode) {
    this.#lease = lease;
    this.#index = index;
    this.binary = node.binary;
    this.dir = node.dir;
    this.ports = node.ports;
    this.#pid = node.pid;
  }

  get isRunning(): boolean {
    return this.#pid !== null && !this.#lease.isOver;
  }

  get pid(): number {
    if (this.#lease.isOver) throw new Error("The server was given back");
    if (this.#pid === null) throw new Error("The server does not run");
    return this.#pid;
  }

  async #call(method: LeaseCall["method"], ...args: unknown[]): Promise<unknown> {
    if (this.#lease.isOver) throw new Error("The server was given back");
    const { error, result, pid } = await this.#lease.send({ node: this.#index, method, args });
    if (pid !== undefined) this.#pid = pid;
    if (error !== undefined) throw new Error(error);
    return result;
  }

  async kill(signal: "SIGKILL" | "SIGTERM" | "SIGINT"): Promise<Deno.CommandStatus | null> {
    this.#pid = null;
    return await this.#call("kill", signal) as Deno.CommandStatus | null;
  }

  async restart(changes: ServerConfig): Promise<void> {
    await this.#call("restart", changes);
  }

  async pause(): Promise<void> {
    await this.#call("pause");
  }

  async resume(): Promise<void> {
    await this.#call("resume");
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.kill("SIGKILL");
    await this.#stopped;
    if (this.#lease.nodes.length === 1) await this.#lease[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lease[Symbol.asyncDispose]();
  }
}
