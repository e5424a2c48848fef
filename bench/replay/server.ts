/**
 * A server that has only one thing to say: `server COUNT` shakes hands as Redis does, and to whoever
 * has subscribed to all patterns it sends the same messages, round after round, as fast as the socket
 * takes them, until the other end hangs up. Prints its port. Ends when its input does.
 */
import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { Decoder, replyToText } from "../../resp/mod.ts";
import { bulk, frames, PATTERNS } from "./frames.ts";

const count = Number(process.argv[2]);

const prepared = { 2: buffer(frames(2, count)), 3: buffer(frames(3, count)) };

function buffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

const INFO = "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nloading:0\r\n";

function hello(protocol: 2 | 3): string {
  const fields = ["server", "redis", "version", "7.2.4", "mode", "standalone", "role", "master"];
  const head = protocol === 3 ? `%${fields.length / 2 + 1}` : `*${fields.length + 2}`;
  return `${head}\r\n${fields.map(bulk).join("")}${bulk("proto")}:${protocol}\r\n`;
}

function serve(socket: Socket): void {
  let protocol: 2 | 3 = 2;
  let subscribed = 0;
  const answer = ([name = "", ...args]: string[]): string => {
    switch (name.toUpperCase()) {
      case "HELLO":
        protocol = args[0] === "3" ? 3 : 2;
        return hello(protocol);
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
      case "PSUBSCRIBE":
        return args.map((pattern) => {
          const type = protocol === 3 ? ">" : "*";
          if (++subscribed === PATTERNS.length) setTimeout(replay, 50);
          return `${type}3\r\n${bulk("psubscribe")}${bulk(pattern)}:${subscribed}\r\n`;
        }).join("");
      default:
        return "+OK\r\n";
    }
  };
  const replay = (error?: Error | null): void => {
    // One large write for each round: the system takes from it as fast as it can.
    if (!error && socket.writable) socket.write(prepared[protocol], replay);
  };
  const decoder = new Decoder({
    reply: (command) => socket.write(answer(replyToText(command) as string[])),
    push() {},
  });
  socket.setNoDelay(true);
  socket.on("data", (chunk) => decoder.write(chunk));
  // Whoever has heard enough goes.
  socket.on("error", () => {});
}

const server = createServer(serve).listen(0, "127.0.0.1", () => {
  console.log((server.address() as { port: number }).port);
});
process.stdin.on("end", () => process.exit()).resume();
