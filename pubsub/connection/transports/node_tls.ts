/**
 * TLS by `node:tls`: over a socket of its own in Node and Bun, over a connection of Deno's own in
 * Deno. Loaded when it is used.
 *
 * @module
 */

import { ConnectError, UnsupportedError } from "../errors.ts";
import {
  type Address,
  type DialOptions,
  formatAddress,
  type TcpAddress,
  type TlsOptions,
  type Transport,
} from "../transport.ts";
import { loadModule } from "./load_module.ts";
import { type Flow, type NodeSocket, NodeTransport } from "./node_socket.ts";
import { certificateError, isIp, tlsError } from "./tls_error.ts";

/** The part of `node:tls` used here. */
interface NodeTls {
  connect(options: {
    host: string;
    port: number;
    socket: NodeStream | undefined;
    servername: string;
    checkServerIdentity(host: string, certificate: unknown): Error | undefined;
    ca: string | undefined;
    cert: string | undefined;
    key: string | undefined;
  }): NodeSocket;
  checkServerIdentity(host: string, certificate: unknown): Error | undefined;
}

/** A `Duplex` of `node:stream`: its methods are used by `node:tls` only. */
interface NodeStream {
  push(chunk: Uint8Array | null): boolean;
  destroy(error?: unknown): void;
}

/** The part of `node:stream` used here. */
interface NodeStreams {
  Duplex: new (methods: {
    read(this: NodeStream): void;
    write(bytes: Uint8Array, encoding: string, done: (error?: unknown) => void): void;
    destroy(error: unknown, done: (error: unknown) => void): void;
  }) => NodeStream;
}

/**
 * Opens a connection with `node:tls`.
 *
 * @param address where to
 * @param options the signal that ends the attempt, and how to speak TLS
 * @param openBelow opens the connection over which TLS is spoken, if it is not a socket of `node:tls`
 * @returns the open connection
 * @throws {UnsupportedError} for a unix socket, and if the runtime has no such module
 * @throws {ConnectError} if TLS cannot be agreed on, or a certificate or the key cannot be used
 * @throws the runtime's error if the connection cannot be made
 */
export async function dialTls(
  address: Address,
  { tls = {}, signal }: DialOptions,
  openBelow?: () => Promise<Transport>,
): Promise<Transport> {
  if ("path" in address) {
    throw new UnsupportedError(
      "TLS_UNSUPPORTED",
      `Cannot connect to ${address.path} over TLS: servers speak none on unix sockets`,
    );
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, missing] = tls.key === undefined ? ["cert", "key"] : ["key", "cert"];
    throw unusable(address, given!, `needs tls.${missing}; give both or neither`);
  }
  const pem = {
    ca: readPem(address, "ca", tls.ca),
    cert: readPem(address, "cert", tls.cert),
    key: readPem(address, "key", tls.key),
  };
  const nodeTls = await loadModule<NodeTls>("node:tls", "TLS_UNSUPPORTED");
  const streams = openBelow &&
    await loadModule<NodeStreams>("node:stream", "TLS_UNSUPPORTED");
  const below = await openBelow?.();
  try {
    signal.throwIfAborted();
    const over = below && streamOver(below, streams!);
    // From here on without a pause: an error before somebody listens for it would be thrown.
    const socket = connect(nodeTls, address, tls, pem, over?.stream);
    const transport = new NodeTransport(socket, over?.flow);
    const explain = (cause: Error | null, isSecured: boolean) =>
      tlsError(address, tls, cause, isSecured);
    if (over === undefined) {
      socket.setNoDelay(true);
      // What goes wrong before there is a connection has nothing to do with TLS.
      socket.on("connect", () => transport.explain = explain);
    } else {
      transport.explain = explain;
      over.flow.onBroken = (error) => transport.fail(error);
    }
    return await transport.open("secureConnect", signal);
  } catch (error) {
    below?.close();
    throw error;
  }
}

/** Certificates and the key as PEM text. */
interface Pem {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

function connect(
  nodeTls: NodeTls,
  address: TcpAddress,
  { serverName = address.hostname }: TlsOptions,
  pem: Pem,
  stream: NodeStream | undefined,
): NodeSocket {
  try {
    return nodeTls.connect({
      host: address.hostname,
      port: address.port,
      socket: stream,
      ...pem,
      // TLS asks for names only, and the runtimes throw on an IP address; but it has to be checked.
      servername: isIp(serverName) ? "" : serverName,
      checkServerIdentity: (_, certificate) => nodeTls.checkServerIdentity(serverName, certificate),
    });
  } catch (cause) {
    throw certificateError(address, cause);
  }
}

/** Matches a PEM block: its label, and its body. */
const BLOCK = /-----\s*BEGIN\s*([A-Z0-9 ]+?)\s*-----(.*?)-----\s*END\s*\1\s*-----/gs;

/** Matches line breaks, also as environment variables write them. */
const BREAK = /\\+[rn]|\s+/g;

/**
 * Reads certificates or a key, and writes them as PEM that every runtime reads: alone, and with line
 * breaks.
 *
 * @throws {ConnectError} if there is none, or it is encrypted or damaged; the message repeats no part of it
 */
export function readPem(
  address: TcpAddress,
  name: "ca" | "cert" | "key",
  value: unknown,
): string | undefined {
  if (value === undefined) return undefined;
  if (name === "ca" && Array.isArray(value) && value.length > 0) {
    return value.map((each) => readPem(address, name, each)).join("");
  }
  const kind = name === "key" ? "PRIVATE KEY" : "CERTIFICATE";
  const blocks = [...textOf(value).matchAll(BLOCK)].filter(([, label]) => label!.endsWith(kind));
  if (blocks.length === 0) {
    throw unusable(address, name, `contains no ${kind} in PEM; give the whole content of its file`);
  }
  return blocks.map(([block, label, body]) => {
    if (block.includes("ENCRYPTED")) {
      throw unusable(address, name, "is encrypted; give it decrypted");
    }
    const base64 = body!.replace(BREAK, "");
    if (!/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) {
      throw unusable(address, name, "is damaged; give the whole content of its file");
    }
    // Old files call a certificate "X509 CERTIFICATE", which not every runtime knows.
    const plain = name === "key" ? label : kind;
    const lines = base64.match(/.{1,64}/g)!.join("\n");
    return `-----BEGIN ${plain}-----\n${lines}\n-----END ${plain}-----\n`;
  }).join("");
}

function unusable(address: TcpAddress, name: string, why: string): ConnectError {
  const server = formatAddress(address);
  const message = `Cannot connect to ${server} over TLS: tls.${name} ${why}`;
  return new ConnectError("TLS_FAILED", message, { server });
}

/** The text of what was given; an empty one if it is neither text nor bytes. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return new TextDecoder().decode(value as Uint8Array);
  } catch {
    return "";
  }
}

/** What TLS is spoken over in Deno. */
interface Below {
  readonly stream: NodeStream;
  readonly flow: Flow & {
    /** Called as soon as a write below TLS fails, after which TLS would report writes as done. */
    onBroken(error: Error): void;
  };
}

/**
 * A stream that pulls bytes from a transport while they are needed, and closes it when destroyed:
 * Deno's `node:tls` goes on reading from its own sockets while it is paused.
 */
function streamOver(transport: Transport, { Duplex }: NodeStreams): Below {
  let paused: Promise<void> | null = null;
  let resume = () => {};
  const flow: Below["flow"] = {
    onBroken() {},
    pause: () => paused ??= new Promise((resolve) => resume = resolve),
    resume() {
      paused = null;
      resume();
    },
  };
  const pull = async (stream: NodeStream) => {
    try {
      while (paused !== null) await paused;
      stream.push(await transport.read());
    } catch (error) {
      stream.destroy(error);
    }
  };
  const stream = new Duplex({
    read() {
      pull(this);
    },
    write(bytes, _encoding, done) {
      transport.write(bytes).then(() => done(), (error) => {
        flow.onBroken(error);
        done(error);
      });
    },
    destroy(error, done) {
      transport.close();
      flow.resume();
      done(error);
    },
  });
  return { stream, flow };
}
