/**
 * A server that has only prepared things to say. It shakes hands as Redis does and confirms what is
 * subscribed to; when it receives `REPLAY` and a script, it sends the script to all that have
 * subscribed, `ROUNDS` times, as fast as the sockets take it. Prints its port. Ends when its input
 * does.
 */
import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { Decoder } from "../../resp/mod.ts";
import { replyToText } from "../../resp/types.ts";
import { bulk, frames, type Script } from "./frames.ts";

const INFO = "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nloading:0\r\n";

interface Subscriber {
  readonly socket: Socket;
  protocol: 2 | 3;
}

const subscribers = new Set<Subscriber>();
/** The last two, because they take a while: what is alike in RESP2 and RESP3. */
const prepared = new Map<string, Buffer>();

function prepare(script: string, protocol: 2 | 3): Buffer {
  const name = `${protocol} ${script}`;
  let bytes = prepared.get(name);
  if (bytes === undefined) {
    const { buffer, byteOffset, length } = frames(JSON.parse(script) as Script, protocol);
    bytes = Buffer.from(buffer, byteOffset, length);
    for (const older of [...prepared.keys()].slice(0, -1)) prepared.delete(older);
    prepared.set(name, bytes);
  }
  return bytes;
}

function replay({ socket, protocol }: Subscriber, script: string, rounds: number): void {
  const bytes = prepare(script, protocol);
  const send = (error?: Error | null): void => {
    // One large write for each round: the system takes from it as fast as it can.
    if (!error && socket.writable && rounds-- > 0) socket.write(bytes, send);
  };
  send();
}

function hello(protocol: 2 | 3): string {
  const fields = ["server", "redis", "version", "7.2.4", "mode", "standalone", "role", "master"];
  const head = protocol === 3 ? `%${fields.length / 2 + 1}` : `*${fields.length + 2}`;
  return `${head}\r\n${fields.map(bulk).join("")}${bulk("proto")}:${protocol}\r\n`;
}

function serve(socket: Socket): void {
  const self: Subscriber = { socket, protocol: 2 };
  let subscribed = 0;
  const answer = ([name = "", ...args]: string[]): string => {
    const { protocol } = self;
    switch (name.toUpperCase()) {
      case "HELLO":
        self.protocol = args[0] === "3" ? 3 : 2;
        return hello(self.protocol);
      case "PING":
        return protocol === 3 || subscribed === 0
          ? "+PONG\r\n"
          : `*2\r\n${bulk("pong")}${bulk("")}`;
      case "INFO":
        return bulk(INFO);
      case "ROLE":
        return `*3\r\n${bulk("master")}:0\r\n*0\r\n`;
      case "CONFIG":
        return `${protocol === 3 ? "%1" : "*2"}\r\n${bulk("notify-keyspace-events")}${bulk("AKE")}`;
      case "SUBSCRIBE":
      case "PSUBSCRIBE": {
        subscribers.add(self);
        const head = `${protocol === 3 ? ">" : "*"}3\r\n${bulk(name.toLowerCase())}`;
        return args.map((channel) => `${head}${bulk(channel)}:${++subscribed}\r\n`).join("");
      }
      case "REPLAY":
        for (const subscriber of subscribers) replay(subscriber, args[0]!, Number(args[1]));
        return "+OK\r\n";
      default:
        return "+OK\r\n";
    }
  };
  const decoder = new Decoder({
    reply: (command) => socket.write(answer(replyToText(command) as string[])),
    push() {},
  });
  socket.setNoDelay(true);
  socket.on("data", (chunk) => decoder.write(chunk));
  // A client that has received enough disconnects.
  socket.on("error", () => {});
  socket.on("close", () => subscribers.delete(self));
}

const server = createServer(serve).listen(0, "127.0.0.1", () => {
  console.log((server.address() as { port: number }).port);
});
process.stdin.on("end", () => process.exit()).resume();
