import { join } from "node:path";
import { ensureServer, type ServerBinary } from "./binary.ts";
import { type Argument, type Credentials, type Reply, TestClient } from "./client.ts";
import { Lease } from "./lease.ts";
import {
  type ServerConfig,
  type ServerControl,
  type ServerOptions,
  ServerProcess,
  SOCKET,
} from "./server_process.ts";

/** A real server of one test's own, with a way to send it commands. */
export class TestServer implements AsyncDisposable {
  readonly #control: ServerControl;
  readonly #admin: Credentials;
  #client: TestClient | undefined;
  #connecting: Promise<TestClient> | undefined;

  private constructor(control: ServerControl, { admin, password }: ServerOptions) {
    this.#control = control;
    this.#admin = admin ?? (password ? { password } : {});
  }

  /** Starts a process for the server, also where {@linkcode startServer} would lease one. */
  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const binary = options.binary ?? await ensureServer();
    return await TestServer.of(await ServerProcess.start(binary, options), options);
  }

  /**
   * Connects to a server that runs.
   *
   * @param control its process
   * @param options those that it was started with
   */
  static async of(control: ServerControl, options: ServerOptions): Promise<TestServer> {
    const server = new TestServer(control, options);
    try {
      // At once, so that a test's first command takes no longer than the others.
      await server.#connected();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get binary(): ServerBinary {
    return this.#control.binary;
  }

  /** The server's working folder: its configuration, its socket, what it saves. */
  get dir(): string {
    return this.#control.dir;
  }

  /** The ports of the directives named in `freePorts`, and `port`. */
  get ports(): Readonly<Record<string, number>> {
    return this.#control.ports;
  }

  get port(): number {
    return this.ports["port"]!;
  }

  readonly host = "127.0.0.1";

  /** `redis://127.0.0.1:port`, without credentials. */
  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** `rediss://127.0.0.1:port`, where `tls` was given. */
  get tlsUrl(): string {
    return `rediss://${this.host}:${this.ports["tls-port"]}`;
  }

  /** The path of the unix socket that each of these servers listens on too. */
  get socket(): string {
    return join(this.dir, SOCKET);
  }

  get isRunning(): boolean {
    return this.#control.isRunning;
  }

  /** @throws {Error} if it does not run now */
  get pid(): number {
    return this.#control.pid;
  }

  /** Sends one command as the administrator. */
  async command(...args: Argument[]): Promise<Reply> {
    return await (await this.#connected()).command(...args);
  }

  /** As {@linkcode command}, with bulk strings as bytes. */
  async commandBytes(...args: Argument[]): Promise<Reply> {
    return await (await this.#connected()).commandBytes(...args);
  }

  /** A running server may end its clients, as one that a sentinel has made the primary does. */
  async #connected(): Promise<TestClient> {
    if (!this.#control.isRunning) throw new Error("The server does not run");
    if (this.#client?.isOpen) return this.#client;
    const { pid } = this;
    this.#connecting ??= TestClient.connect({ path: this.socket }, this.#admin)
      .then((client) => {
        if (this.#control.isRunning && this.pid === pid) return this.#client = client;
        client.close();
        throw new Error("The server has ended");
      })
      .finally(() => this.#connecting = undefined);
    return await this.#connecting;
  }

  /** Closes the connection for commands until the next one. */
  disconnect(): void {
    this.#client?.close();
  }

  /** A connection of the caller's own, by TCP; the caller closes it. */
  async client(options: Credentials = this.#admin): Promise<TestClient> {
    // Nobody listens there, or the next test's server does.
    if (!this.#control.isRunning) throw new Error("The server does not run");
    return await TestClient.connect({ host: this.host, port: this.port }, options);
  }

  /**
   * Ends the process, also one that is paused, and waits until it is gone; `null` if it does not
   * run. Folder and port stay for `restart`.
   */
  async kill(
    signal: "SIGKILL" | "SIGTERM" | "SIGINT" = "SIGKILL",
  ): Promise<Deno.CommandStatus | null> {
    this.disconnect();
    return await this.#control.kill(signal);
  }

  /**
   * Runs the server again on the same port and folder, ending it first if it runs.
   *
   * @param changes directives that are different from now on; none where it keeps its configuration
   */
  async restart(changes: ServerConfig = {}): Promise<void> {
    this.disconnect();
    await this.#control.restart(changes);
  }

  /** Stops it from doing anything, as a machine that hangs: its sockets stay open. */
  async pause(): Promise<void> {
    await this.#control.pause();
  }

  /** Lets it go on. */
  async resume(): Promise<void> {
    await this.#control.resume();
  }

  /** Ends the process and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    await this.#control.stop();
  }

  /** Ends the process and removes its folder, or gives back what was leased. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    await this.#control[Symbol.asyncDispose]();
  }
}

/**
 * Starts a server and resolves when it answers. The test runner's pool may have one that is as new;
 * a test of the process itself wants {@linkcode TestServer.start}.
 *
 * @throws {ServerStartError} if it ends at once, as for a wrong directive, or does not answer in time
 */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const lease = await Lease.take(options);
  return lease === null
    ? await TestServer.start(options)
    : await TestServer.of(lease.nodes[0]!, options);
}
