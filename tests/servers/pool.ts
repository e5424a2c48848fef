import { join } from "node:path";
import { ensureServer, type ServerBinary } from "./binary.ts";
import { TestCluster } from "./cluster.ts";
import { JsonLines, type LeaseAnswer, type LeaseCall, type LeaseRequest } from "./lease.ts";
import { Watchdog } from "./process.ts";
import { TestServer } from "./server.ts";
import type { ServerConfig } from "./server_process.ts";
import { isSame, type State, stateOf, wipe } from "./wipe.ts";
import { sleep, within } from "./wait.ts";

/** How many processes may wait for the next test. */
const IDLE_LIMIT = 40;

/** Servers of the pool that are leased together: one, or the nodes of a cluster. */
interface Item {
  readonly kind: string;
  readonly servers: readonly TestServer[];
  /** The state of each server when it was new. */
  readonly states: readonly State[];
  readonly owner: AsyncDisposable;
  /** Whether a test did something to a process of it. */
  isSpent: boolean;
}

/** What a server needs so that {@linkcode wipe} may give it another replication ID. */
function debuggable({ version }: ServerBinary): ServerConfig {
  return Number.parseInt(version) < 7 ? {} : { "enable-debug-command": "local" };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How long putting servers back in order may take before they are replaced, in ms. */
const WIPE_LIMIT = 10_000;

/**
 * Servers and clusters that outlive the tests which use them, since starting one costs more than
 * most tests do. What a test gives back is emptied, compared with its state when it was new, and
 * ended if it is not the same. So is a cluster whose slots or roles are others than before: to move
 * them back takes longer than a new cluster, and leaves other epochs and histories of replication.
 */
export class Pool implements AsyncDisposable {
  readonly #folder: string;
  readonly #watchdog: Watchdog;
  readonly #listener: Deno.UnixListener;
  /** The longest idle first. */
  readonly #idle: Item[] = [];
  readonly #leases = new Set<Promise<void>>();
  readonly #connections = new Set<JsonLines>();
  /** How many servers and clusters were started, and how often one was leased. */
  readonly counts: { started: number; leased: number; discarded: number } = {
    started: 0,
    leased: 0,
    discarded: 0,
  };
  /**
   * Why leases failed, whose tests have started servers of their own then, and why servers could not
   * be ended or their folders removed.
   */
  readonly failures: string[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
    this.#watchdog = new Watchdog(folder);
    this.#listener = Deno.listen({ transport: "unix", path: this.address });
    void this.#accept();
  }

  static async start(): Promise<Pool> {
    return new Pool(await Deno.makeTempDir({ prefix: "keywatch-pool-" }));
  }

  /** The path of its socket, for the variable `POOL_VARIABLE` of the processes that use it. */
  get address(): string {
    return join(this.#folder, "pool.sock");
  }

  /** How many leases have not ended, or are being put in order. */
  get leases(): number {
    return this.#leases.size;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      const lines = new JsonLines(connection);
      this.#connections.add(lines);
      const lease = this.#serve(lines).finally(() => {
        this.#connections.delete(lines);
        this.#leases.delete(lease);
      });
      this.#leases.add(lease);
    }
  }

  /** A connection is one lease, from its first line to its end. */
  async #serve(lines: JsonLines): Promise<void> {
    let item: Item | undefined;
    try {
      const request = await lines.read() as LeaseRequest | undefined;
      if (request === undefined) return;
      const answer = await this.#answer(async () => {
        item = await this.#take(request);
        await prepare(item, request);
        return item.servers.map(({ binary, dir, ports, pid }) => ({ binary, dir, ports, pid }));
      });
      if (answer.error !== undefined) this.failures.push(`A lease failed: ${answer.error}`);
      await lines.write(answer);
      for (;;) {
        const call = await lines.read() as LeaseCall | undefined;
        if (call === undefined || item === undefined) break;
        item.isSpent = true;
        const server = item.servers[call.node]!;
        const answer = await this.#answer(() => act(server, call, request));
        await lines.write({ ...answer, pid: server.isRunning ? server.pid : null });
      }
    } catch {
      // The test has gone without an answer.
    } finally {
      lines.close();
      if (item !== undefined) await this.#takeBack(item);
    }
  }

  async #answer(work: () => Promise<unknown>): Promise<LeaseAnswer> {
    try {
      return { result: await work() };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  async #take({ binary: wanted, cluster }: LeaseRequest): Promise<Item> {
    this.counts.leased++;
    const binary = wanted ?? await ensureServer();
    const kind = JSON.stringify([binary.command, cluster]);
    const at = this.#idle.findLastIndex((item) => item.kind === kind);
    if (at >= 0) return this.#idle.splice(at, 1)[0]!;
    this.counts.started++;
    const owner = cluster === null
      ? await TestServer.start({ binary, config: debuggable(binary) })
      : await TestCluster.start({ binary, ...cluster });
    const servers = owner instanceof TestServer ? [owner] : owner.servers;
    const states = await Promise.all(servers.map(stateOf));
    return { kind, servers, states, owner, isSpent: false };
  }

  async #takeBack(item: Item): Promise<void> {
    const isNew = !item.isSpent && !this.#isEnding &&
      await within(renew(item), WIPE_LIMIT, "FLUSHALL").catch(() => false);
    if (!isNew || this.#isEnding) {
      this.counts.discarded++;
      return await this.#end(item);
    }
    this.#idle.push(item);
    const processes = this.#idle.reduce((sum, { servers }) => sum + servers.length, 0);
    if (processes > IDLE_LIMIT) await this.#end(this.#idle.shift()!);
  }

  /** What a test left behind may not end the run of all the others. */
  async #end({ owner }: Item): Promise<void> {
    try {
      await owner[Symbol.asyncDispose]();
    } catch (error) {
      this.failures.push(`Cannot clean up after a server: ${messageOf(error)}`);
    }
  }

  #isEnding = false;

  /** Ends every server, those that are leased too. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#listener.close();
    for (const lines of this.#connections) lines.close();
    await Promise.all(this.#leases);
    await Promise.all(this.#idle.map((item) => this.#end(item)));
    await this.#watchdog.dismiss();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Gives new servers the options that a test wants. */
async function prepare({ servers }: Item, { config, acl, password }: LeaseRequest): Promise<void> {
  await Promise.all(servers.map(async (server) => {
    for (const [name, value] of Object.entries(config)) {
      await server.command("CONFIG", "SET", name, value);
    }
    for (const rule of acl) await server.command("ACL", "SETUSER", ...rule.trim().split(/\s+/));
    if (password !== null) await server.command("CONFIG", "SET", "requirepass", password);
    // A test that counts clients finds its own alone; with a password there is no way back in.
    else server.disconnect();
  }));
}

/**
 * Makes given back servers as new.
 *
 * @returns whether they are: not if a test did what cannot be undone, or if they do not settle
 */
async function renew({ servers, states }: Item): Promise<boolean> {
  await Promise.all(servers.map((server, i) => wipe(server, states[i]!)));
  const deadline = performance.now() + WIPE_LIMIT / 2;
  const lasting = (all: readonly State[]) => all.map((state) => state.lasting);
  for (;;) {
    const now = await Promise.all(servers.map(stateOf));
    if (isSame(now, states)) return true;
    if (!isSame(lasting(now), lasting(states)) || performance.now() > deadline) return false;
    await sleep(100);
  }
}

async function act(
  server: TestServer,
  { method, args }: LeaseCall,
  { config, acl, password }: LeaseRequest,
): Promise<unknown> {
  switch (method) {
    case "kill":
      return await server.kill(args[0] as "SIGKILL");
    case "restart":
      return await server.restart({
        ...config,
        ...(acl.length > 0 ? { user: acl } : {}),
        ...(password === null ? {} : { requirepass: password }),
        ...args[0] as ServerConfig,
      });
    case "pause":
      return await server.pause();
    case "resume":
      return await server.resume();
  }
}
