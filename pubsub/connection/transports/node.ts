/**
 * TCP and unix sockets by `node:net`: in Node, Bun, and whatever else has that module. TLS is in
 * `node_tls.ts`, which is loaded when it is used.
 *
 * @module
 */

import type { Address, DialOptions, Transport } from "../transport.ts";
import { loadModule } from "./load_module.ts";
import { type NodeSocket, NodeTransport } from "./node_socket.ts";

/** The part of `node:net` used here, so that the module needs no runtime's type package. */
interface NodeNet {
  connect(options: { host: string; port: number } | { path: string }): NodeSocket;
}

/**
 * Opens a connection with `node:net` or `node:tls`.
 *
 * @param address where to
 * @param options the signal that ends the attempt, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} if the runtime has no such module
 * @throws {ConnectError} if TLS cannot be agreed on
 * @throws the runtime's error if the connection cannot be made
 */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const { signal, tls } = options;
  signal.throwIfAborted();
  if (tls !== undefined) return await (await import("./node_tls.ts")).dialTls(address, options);
  const { connect } = await loadModule<NodeNet>("node:net", "SOCKETS_UNSUPPORTED");
  signal.throwIfAborted();
  const socket = connect(
    "path" in address ? { path: address.path } : { host: address.hostname, port: address.port },
  );
  if (!("path" in address)) socket.setNoDelay(true);
  return await new NodeTransport(socket).open("connect", signal);
}
