import { Decoder, encodePipeline, ServerError } from "@keywatch/keywatch/resp";

/** A client for commands and their replies, as text; a lost connection rejects what waits. */
export class PlainClient {
  #stream;
  #waiting = [];
  #over = null;

  /** @param open makes a stream to a host and port, which `listen`s, `write`s and is `destroy`ed */
  static async connect(url, open) {
    const { hostname, port, username, password } = new URL(url);
    const client = new PlainClient(open(hostname, Number(port)));
    if (password !== "") await client.command("AUTH", username || "default", password);
    return client;
  }

  constructor(stream) {
    this.#stream = stream;
    const reply = (reply) => {
      const { resolve, reject } = this.#waiting.shift();
      if (reply instanceof ServerError) reject(reply);
      else resolve(reply);
    };
    const decoder = new Decoder({ reply, push() {} }, { strings: "text" });
    stream.listen({
      data: (chunk) => decoder.write(chunk),
      error: (error) => this.#end(error),
      close: () => this.#end(new Error("The plain client's connection is closed")),
    });
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
    this.#stream.write(encodePipeline(commands));
    return Promise.all(replies);
  }

  close() {
    this.#stream.destroy();
  }
}
