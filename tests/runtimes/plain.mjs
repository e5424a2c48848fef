/**
 * What the cases need from outside the package: a plain client that changes keys, peers that are
 * no servers. `node:net` is in Node, Bun and Deno alike; a runtime without it needs another host.
 */
import net from "node:net";
import { Decoder, encodePipeline, ServerError } from "@keywatch/keywatch/resp";

/** A client for commands and their replies, as text; a lost connection rejects what waits. */
class PlainClient {
  #socket;
  #waiting = [];
  #over = null;

  static async connect(url) {
    const { hostname, port, username, password } = new URL(url);
    const client = new PlainClient(net.connect({ host: hostname, port: Number(port) }));
    if (password !== "") await client.command("AUTH", username || "default", password);
    return client;
  }

  constructor(socket) {
    this.#socket = socket;
    const reply = (reply) => {
      const { resolve, reject } = this.#waiting.shift();
      if (reply instanceof ServerError) reject(reply);
      else resolve(reply);
    };
    const decoder = new Decoder({ reply, push() {} }, { strings: "text" });
    socket.on("data", (chunk) => decoder.write(chunk));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("The plain client's connection is closed")));
  }

  #end(error) {
    this.#over ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#over);
  }

  command(...words) {
    return this.commands([words]).then(([reply]) => reply);
  }

  /** Many commands in one write; all their replies. */
  commands(commands) {
    if (this.#over !== null) return Promise.reject(this.#over);
    const replies = commands.map(() =>
      new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    );
    this.#socket.write(encodePipeline(commands));
    return Promise.all(replies);
  }

  close() {
    this.#socket.destroy();
  }
}

/** Listens on loopback and answers nothing: it stays silent, or hangs up at once. */
class Peer {
  #server;
  #sockets = new Set();

  static async listen({ hangsUp }) {
    const peer = new Peer();
    peer.#server = net.createServer((socket) => {
      peer.#sockets.add(socket);
      socket.on("close", () => peer.#sockets.delete(socket));
      // The other side may reset the connection; that is its end, as any other.
      socket.on("error", () => {});
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
  connect: (url) => PlainClient.connect(url),
  listen: (options) => Peer.listen(options),
};
