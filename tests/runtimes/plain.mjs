/**
 * What the cases need from outside the package: a plain client that changes keys, peers that are
 * not servers. `node:net` is in Node, Bun and Deno alike; a runtime without it needs another host.
 */
import net from "node:net";
import { PlainClient } from "./plain_client.mjs";

function open(host, port) {
  const socket = net.connect({ host, port });
  return {
    listen: (events) => {
      for (const [event, listener] of Object.entries(events)) socket.on(event, listener);
    },
    write: (bytes) => socket.write(bytes),
    destroy: () => socket.destroy(),
  };
}

/**
 * Listens on loopback and is not a server: it stays silent, hangs up at once, or says these bytes to
 * whatever comes first, and then hangs up.
 */
class Peer {
  #server;
  #sockets = new Set();

  static async listen({ hangsUp, says }) {
    const peer = new Peer();
    peer.#server = net.createServer((socket) => {
      peer.#sockets.add(socket);
      socket.on("close", () => peer.#sockets.delete(socket));
      // The other side may reset the connection; that is its end, as any other.
      socket.on("error", () => {});
      if (says) socket.once("data", () => socket.end(Uint8Array.from(says)));
      socket.resume();
      if (hangsUp) socket.end();
    });
    await new Promise((resolve, reject) => {
      peer.#server.on("error", reject);
      peer.#server.listen(0, "127.0.0.1", resolve);
    });
    peer.url = `redis://127.0.0.1:${peer.#server.address().port}`;
    return peer;
  }

  /** How many connections are open. */
  get connections() {
    return this.#sockets.size;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A host: see `Scene` for what is made of it. */
export const host = {
  connect: (url) => PlainClient.connect(url, open),
  listen: (options) => Peer.listen(options),
};
