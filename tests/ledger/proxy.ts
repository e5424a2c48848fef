import { Buffer } from "node:buffer";
import { once } from "node:events";
// Deno's own sockets cannot be reset.
import { connect, createServer, type Server, type Socket } from "node:net";
import { sleep } from "../servers/mod.ts";
import { Gate } from "./gate.ts";

/** Where connections go on to. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How bytes from the server are held up. */
export interface Throttle {
  /** Bytes per second. */
  readonly rate: number;
  /** How long each chunk is kept back at least, in ms. */
  readonly delay: number;
}

/** How much of the server's last chunk is not passed on when a connection is cut in a frame. */
const KEPT_BACK = 3;

const SLICE_MS = 10;

const HOST = "127.0.0.1";

/** A TCP proxy on loopback, between a watcher and its server, that does what networks do. */
export class Proxy implements AsyncDisposable {
  readonly host: string = HOST;
  readonly #target: () => Target;
  readonly #links = new Set<Link>();
  readonly #flow = new Gate();
  #server: Server | null = null;
  #port = 0;
  #throttle: Throttle | null = null;
  #swallowing = false;

  private constructor(target: () => Target) {
    this.#target = target;
  }

  /** @param target asked again for each connection */
  static async start(target: () => Target): Promise<Proxy> {
    const proxy = new Proxy(target);
    await proxy.#listen();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** How many connections go through it, swallowed ones too. */
  get connections(): number {
    return this.#links.size;
  }

  /** Ends every connection, both ways. */
  cut(): void {
    for (const link of this.#links) link.end();
  }

  /** Ends every connection in the middle of what the server sends next on it. */
  async cutInFrame(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.endInFrame()));
  }

  /** Resets every connection: what was under way is gone. */
  reset(): void {
    for (const link of this.#links) link.reset();
  }

  /** From now on passes nothing on the connections there are, for as long as they last. */
  halfOpen(): void {
    for (const link of this.#links) link.swallow();
  }

  /** As {@linkcode halfOpen}, and new connections are accepted and not passed on either. */
  blackHole(): void {
    this.#swallowing = true;
    this.halfOpen();
  }

  /** Holds up what comes from the server. */
  slow(throttle: Throttle): void {
    this.#throttle = throttle;
  }

  /** Reads nothing more from the server, so that it fills its own memory. */
  stall(): void {
    this.#flow.close();
  }

  /** Ends every connection and refuses new ones. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = once(server, "close");
    server.close();
    this.cut();
    await closed;
  }

  /** Passes everything on again; connections that were swallowed stay so. */
  async restore(): Promise<void> {
    this.#throttle = null;
    this.#swallowing = false;
    this.#flow.open();
    if (this.#server === null) await this.#listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const over = [...this.#links].map((link) => link.over);
    this.#flow.open();
    await this.refuse();
    await Promise.all(over);
  }

  async #listen(): Promise<void> {
    for (let attempt = 1;; attempt++) {
      // Sockets in the order they came, and paused until somebody reads.
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
      server.on("connection", (socket) => this.#accept(socket));
      server.listen(this.#port, HOST);
      try {
        await once(server, "listening");
        this.#port = (server.address() as { port: number }).port;
        this.#server = server;
        return;
      } catch (error) {
        // While it refused, another process may have been given the port for a connection.
        if (attempt === 50) throw error;
        await sleep(20 * attempt);
      }
    }
  }

  #accept(client: Socket): void {
    const { host, port } = this.#target();
    const link = new Link(client, connect({ host, port, noDelay: true, allowHalfOpen: true }), {
      flow: this.#flow,
      throttle: () => this.#throttle,
    });
    if (this.#swallowing) link.swallow();
    this.#links.add(link);
    link.over.finally(() => this.#links.delete(link));
  }
}

interface Way {
  readonly flow: Gate;
  throttle(): Throttle | null;
}

/** One connection through the proxy. */
class Link {
  /** Resolves once both sockets are closed. */
  readonly over: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #way: Way;
  #swallowing = false;
  #ended = false;
  #endInFrame: PromiseWithResolvers<void> | null = null;

  constructor(client: Socket, server: Socket, way: Way) {
    this.#client = client;
    this.#server = server;
    this.#way = way;
    for (const socket of [client, server]) socket.on("error", () => {});
    const closed = [client, server].map((socket) =>
      new Promise<void>((resolve) => socket.on("close", () => resolve()))
    );
    const pumps = [
      this.#pump(server, (chunk) => this.#down(chunk), () => this.#serverEnded()),
      this.#pump(client, (chunk) => this.#up(chunk), () => this.end()),
    ];
    this.over = Promise.all([...closed, ...pumps]).then(() => this.#endInFrame?.resolve());
  }

  end(): void {
    this.#finish((socket) => socket.destroy());
  }

  reset(): void {
    this.#finish((socket) => socket.resetAndDestroy());
  }

  /** Resolves once it is done. */
  endInFrame(): Promise<void> {
    this.#endInFrame ??= Promise.withResolvers();
    return this.#endInFrame.promise;
  }

  swallow(): void {
    this.#swallowing = true;
  }

  #finish(how: (socket: Socket) => void): void {
    if (this.#ended) return;
    this.#ended = true;
    how(this.#client);
    how(this.#server);
  }

  async #pump(
    from: Socket,
    pass: (chunk: Uint8Array) => Promise<void>,
    onEnd: () => void,
  ): Promise<void> {
    try {
      for await (const chunk of from) {
        if (this.#ended) return;
        if (!this.#swallowing) await pass(chunk);
      }
    } catch {
      // The connection broke, or was destroyed here.
    }
    onEnd();
  }

  /** A server that goes is not heard of either while everything is swallowed. */
  #serverEnded(): void {
    if (!this.#swallowing) this.end();
  }

  async #up(chunk: Uint8Array): Promise<void> {
    await write(this.#server, chunk);
  }

  async #down(chunk: Uint8Array): Promise<void> {
    await this.#way.flow.pass();
    const delay = this.#way.throttle()?.delay ?? 0;
    if (delay > 0) await sleep(delay);
    const last = this.#endInFrame !== null;
    const passed = last ? chunk.subarray(0, -KEPT_BACK) : chunk;
    for (let start = 0; start < passed.length && !this.#ended && !this.#swallowing;) {
      const rate = this.#way.throttle()?.rate ?? Infinity;
      const slice = passed.subarray(start, start + Math.ceil(rate * SLICE_MS / 1000));
      await write(this.#client, slice);
      start += slice.length;
      if (rate !== Infinity) await sleep(SLICE_MS);
    }
    if (!last) return;
    this.#client.end();
    await Promise.race([once(this.#client, "finish"), once(this.#client, "close")]);
    this.end();
  }
}

/** Resolves once the socket takes more, or never will. */
async function write(socket: Socket, chunk: Uint8Array): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return;
  const bytes = Buffer.from(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
  if (socket.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
