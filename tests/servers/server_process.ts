import { join } from "node:path";
import type { ServerBinary } from "./binary.ts";
import type { Certificates } from "./certificates.ts";
import { type Credentials, TestClient } from "./client.ts";
import { OwnedProcess, Watchdog } from "./process.ts";
import { sleep, within } from "./wait.ts";

/** Directives as `redis.conf` has them; a list writes the directive once for each item. */
export type ServerConfig = Record<string, string | number | (string | number)[]>;

export interface ServerOptions {
  /** If not given, what {@linkcode ensureServer} finds. */
  binary?: ServerBinary;
  /**
   * Added to, and winning over, the ground rules: loopback only, no persistence, in the
   * foreground. Values stand as in the file: `"pubsub 1mb 0 0"` is three arguments.
   */
  config?: ServerConfig;
  /** Further command line arguments, such as `--sentinel`. */
  args?: string[];
  /** `requirepass`: the password of the default user. */
  password?: string;
  /** ACL rules, one user each, such as `bob on >secret ~* &* +@all`. */
  acl?: string[];
  /** A free one if not given. */
  port?: number;
  /** Has it speak TLS on a port of its own too, and demand a client certificate there. */
  tls?: Certificates;
  /** Further directives that get a free port each, such as `cluster-port`. */
  freePorts?: string[];
  /** It keeps what it learns in its configuration, as sentinels do: started again, it knows that. */
  keepsConfig?: boolean;
  /** Who asks for `PING`, and who `command` is, where the default user may not do everything. */
  admin?: Credentials;
  /** How long it may take to answer, in ms. */
  startTimeout?: number;
}

/** A server that did not come up, with what it wrote. */
export class ServerStartError extends Error {
  override name = "ServerStartError";
  constructor(message: string, readonly output: string) {
    super(output ? `${message}; it wrote:\n${output}` : message);
  }
}

/** The name of the unix socket in the folder of a server. */
export const SOCKET = "server.sock";
const CONFIG = "server.conf";

/** A port that was free a moment ago. The server that binds it must be ready to find it taken. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function configText(config: ServerConfig): string {
  return Object.entries(config).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name} ${one === "" ? '""' : one}\n`)
  ).join("");
}

/** Asks a server for `PING`; throws unless it answers as one that is ready does. */
async function ping(path: string, admin: Credentials, deadline: number): Promise<void> {
  await using client = await TestClient.connect({ path }, admin, deadline);
  await client.command("PING");
}

/** What a test may do to the process of its server. */
export interface ServerControl extends AsyncDisposable {
  readonly binary: ServerBinary;
  readonly dir: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly isRunning: boolean;
  readonly pid: number;
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGINT"): Promise<Deno.CommandStatus | null>;
  restart(changes: ServerConfig): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** The process of a real server, on loopback ports and in a folder that goes with it. */
export class ServerProcess implements ServerControl {
  readonly #options: ServerOptions;
  readonly #watchdog: Watchdog;
  #process: OwnedProcess | undefined;
  #ports: Record<string, number> = {};
  #changes: ServerConfig = {};
  #stopped: Promise<void> | undefined;

  readonly binary: ServerBinary;
  readonly host = "127.0.0.1";
  /** The server's working folder: its configuration, its socket, what it saves. */
  readonly dir: string;

  private constructor(binary: ServerBinary, dir: string, options: ServerOptions) {
    this.binary = binary;
    this.dir = dir;
    this.#options = options;
    this.#watchdog = new Watchdog(dir);
  }

  /**
   * Starts a server and resolves when it answers.
   *
   * @throws {ServerStartError} if it ends at once, as for a wrong directive, or does not answer in time
   */
  static async start(binary: ServerBinary, options: ServerOptions = {}): Promise<ServerProcess> {
    const dir = await Deno.makeTempDir({ prefix: "keywatch-" });
    const server = new ServerProcess(binary, dir, options);
    try {
      await server.#launch(async () => {
        server.#choosePorts();
        await server.#writeConfig();
      });
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get port(): number {
    return this.#ports["port"]!;
  }

  /** The ports of the directives named in `freePorts`, and `port`. */
  get ports(): Readonly<Record<string, number>> {
    return this.#ports;
  }

  /** `redis://127.0.0.1:port`, without credentials. */
  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** The path of the unix socket that each of these servers listens on too. */
  get socket(): string {
    return join(this.dir, SOCKET);
  }

  /** @throws {Error} if it does not run now */
  get pid(): number {
    return this.#running().pid;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** The last it wrote, for messages. */
  get output(): string {
    return this.#process?.output ?? "";
  }

  #choosePorts(): void {
    const { port = freePort(), freePorts = [], tls } = this.#options;
    const more = tls === undefined ? freePorts : ["tls-port", ...freePorts];
    this.#ports = { port, ...Object.fromEntries(more.map((name) => [name, freePort()])) };
  }

  /** Another process may take a port at any time, if only for the end of a connection. */
  async #launch(beforeEach: () => Promise<unknown> | void): Promise<void> {
    for (let attempt = 1;; attempt++) {
      await beforeEach();
      try {
        return await this.#launchOnce();
      } catch (error) {
        const taken = error instanceof ServerStartError &&
          /address already in use/i.test(error.output);
        if (!taken || attempt === 10) throw error;
      }
    }
  }

  async #writeConfig(): Promise<void> {
    const { config = {}, password, acl = [] } = this.#options;
    const tlsConfig = await this.#writeCertificates();
    await Deno.writeTextFile(
      join(this.dir, CONFIG),
      configText({
        bind: this.host,
        ...this.#ports,
        // The harness's own way in, also when the port speaks TLS. Its folder belongs to this
        // server alone, so what answers there is no stranger that took the port meanwhile.
        unixsocket: this.socket,
        dir: this.dir,
        daemonize: "no",
        save: "",
        appendonly: "no",
        // A primary waits 5 s for further replicas before it copies its data to the first.
        "repl-diskless-sync-delay": 0,
        ...tlsConfig,
        ...(password === undefined ? {} : { requirepass: password }),
        ...(acl.length === 0 ? {} : { user: acl }),
        ...config,
        ...this.#changes,
      }),
    );
  }

  async #launchOnce(): Promise<void> {
    const { args = [] } = this.#options;
    const [program, ...before] = this.binary.command;
    this.#process = OwnedProcess.spawn(program, [...before, join(this.dir, CONFIG), ...args]);
    this.#watchdog.watch(this.#process.pid);
    try {
      await this.#whenReady(this.#process);
    } catch (error) {
      await this.#end("SIGKILL");
      throw error;
    }
  }

  async #writeCertificates(): Promise<ServerConfig> {
    const { tls } = this.#options;
    if (tls === undefined) return {};
    const files = {
      "tls-ca-cert-file": tls.ca,
      "tls-cert-file": tls.server.cert,
      "tls-key-file": tls.server.key,
      // For what it connects to itself, such as its primary.
      "tls-client-cert-file": tls.client.cert,
      "tls-client-key-file": tls.client.key,
    };
    const config: ServerConfig = { "tls-auth-clients": "yes" };
    for (const [name, text] of Object.entries(files)) {
      config[name] = join(this.dir, name);
      await Deno.writeTextFile(config[name], text, { mode: 0o600 });
    }
    return config;
  }

  async #whenReady(process: OwnedProcess): Promise<void> {
    const { startTimeout = 30_000, password, admin = password ? { password } : {} } = this.#options;
    const deadline = performance.now() + startTimeout;
    let reason: unknown;
    while (performance.now() < deadline) {
      if (process.ended) {
        const { code, signal } = await process.status;
        throw new ServerStartError(
          `Cannot start ${this.binary.command.join(" ")}: it ended with ${signal ?? code}`,
          process.output,
        );
      }
      try {
        return await ping(this.socket, admin, startTimeout);
      } catch (error) {
        reason = error;
      }
      await sleep(10);
    }
    throw new ServerStartError(
      `Cannot use ${this.binary.command.join(" ")}: no PONG within ${startTimeout} ms (${reason})`,
      process.output,
    );
  }

  async #end(signal: Deno.Signal): Promise<Deno.CommandStatus | null> {
    const process = this.#process;
    this.#process = undefined;
    if (!process) return null;
    process.kill(signal);
    // A stopped process takes the signal only when it goes on.
    process.kill("SIGCONT");
    try {
      await within(process.status, 10_000, signal);
    } catch {
      process.kill("SIGKILL");
      await process.status;
    }
    this.#watchdog.watch(null);
    return await process.status;
  }

  /**
   * Ends the process, also one that is paused, and waits until it is gone; `null` if it does not
   * run. Folder and port stay for `restart`.
   */
  async kill(
    signal: "SIGKILL" | "SIGTERM" | "SIGINT" = "SIGKILL",
  ): Promise<Deno.CommandStatus | null> {
    return await this.#end(signal);
  }

  /**
   * Runs the server again on the same port and folder, ending it first if it runs.
   *
   * @param changes directives that are different from now on; none where it keeps its configuration
   */
  async restart(changes: ServerConfig = {}): Promise<void> {
    if (this.#stopped) throw new Error("Cannot restart a server that was stopped");
    const { keepsConfig = false } = this.#options;
    if (keepsConfig && Object.keys(changes).length > 0) {
      throw new Error("Cannot change a configuration that the server keeps");
    }
    this.#changes = { ...this.#changes, ...changes };
    await this.#end("SIGTERM");
    let wait = 0;
    await this.#launch(async () => {
      await sleep(wait += 20);
      if (!keepsConfig) await this.#writeConfig();
    });
  }

  /** Stops it from doing anything, as a machine that hangs: its sockets stay open. */
  // deno-lint-ignore require-await -- it rejects where it fails, as of a leased server
  async pause(): Promise<void> {
    this.#running().kill("SIGSTOP");
  }

  /** Lets it go on. */
  // deno-lint-ignore require-await -- as above
  async resume(): Promise<void> {
    this.#running().kill("SIGCONT");
  }

  #running(): OwnedProcess {
    if (!this.#process) throw new Error("The server does not run");
    return this.#process;
  }

  /** Ends the process and removes its folder. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      await this.#end("SIGKILL");
      try {
        await this.#watchdog.dismiss();
      } finally {
        await Deno.remove(this.dir, { recursive: true });
      }
    })();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
