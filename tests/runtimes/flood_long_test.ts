/**
 * What a flood that no consumer keeps up with leaves in memory, with the packed package in each
 * runtime, in the clear and over TLS.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Decoder } from "../../resp/mod.ts";
import { Peer, writeAll } from "../pubsub/peer.ts";
import { type Certificates, makeCertificates } from "../servers/mod.ts";
import { runToEnd } from "./outcome.ts";
import { applicationOfTests } from "./package.ts";
import { findBun, findDeno, findNode, type Program } from "./programs.ts";

const MEGABYTE = 2 ** 20;

/** Bytes that the peer sends in all. */
const FLOOD = 96 * MEGABYTE;

/** More than the two kernel buffers of a connection and the transport hold together. */
const MOST_UNDECODED = 32 * MEGABYTE;

/** More than a transport keeps, with what a runtime hands it at once. */
const MOST_BUFFERED = 4 * MEGABYTE;

const QUEUE = { items: 65_536, bytes: 64 * MEGABYTE };

const encoder = new TextEncoder();
const ANSWERS: Record<string, string> = {
  HELLO: "%2\r\n+server\r\n+redis\r\n+mode\r\n+standalone\r\n",
  PSUBSCRIBE: ">3\r\n$10\r\npsubscribe\r\n$16\r\n__keyspace@0__:*\r\n:1\r\n",
  PING: "+PONG\r\n",
};

/** A message of a key of 20 bytes. */
function message(n: number): string {
  const key = `k${String(n).padStart(19, "0")}`;
  return `>4\r\n$8\r\npmessage\r\n$16\r\n__keyspace@0__:*\r\n$35\r\n__keyspace@0__:${key}\r\n$3\r\nset\r\n`;
}

const BLOCK = encoder.encode(Array.from({ length: 1_000 }, (_, n) => message(n)).join(""));

/** A peer that floods each subscriber, and one that says how many bytes were taken from it. */
class FloodingPeer implements AsyncDisposable {
  readonly flooding: Peer;
  readonly control: Peer;
  /** How many bytes it sends after the subscription is confirmed. */
  readonly blocks: number = Math.ceil(FLOOD / BLOCK.length);
  #taken = 0;

  constructor(certificates: Certificates | null) {
    const here = { hostname: "127.0.0.1", port: 0 };
    const listener = certificates === null
      ? Deno.listen(here)
      : Deno.listenTls({ ...here, ...certificates.server });
    this.flooding = new Peer((connection) => this.#serve(connection), listener);
    this.control = new Peer(async (connection) => {
      const buffer = new Uint8Array(64);
      while (await connection.read(buffer) !== null) {
        await connection.write(encoder.encode(`${this.#taken}`));
      }
    });
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const answers: string[] = [];
    let wake = () => {};
    let flooding = false;
    const decoder = new Decoder({
      reply: (command) => {
        const [name] = command as string[];
        flooding ||= name === "PSUBSCRIBE";
        answers.push(ANSWERS[name!] ?? "-ERR unknown command\r\n");
        wake();
      },
      push() {},
    }, { strings: "text" });
    let gone = false;
    const hearing = (async () => {
      const buffer = new Uint8Array(64 * 1024);
      for (let length; (length = await connection.read(buffer)) !== null;) {
        decoder.write(buffer.slice(0, length));
      }
    })().finally(() => {
      gone = true;
      wake();
    });
    for (let left = this.blocks; !gone;) {
      if (answers.length > 0) {
        await writeAll(connection, encoder.encode(answers.splice(0).join("")));
      } else if (flooding && left > 0) {
        left--;
        await writeAll(connection, BLOCK, (count) => this.#taken += count);
      } else await new Promise<void>((resolve) => wake = resolve);
    }
    await hearing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flooding[Symbol.asyncDispose]();
    await this.control[Symbol.asyncDispose]();
  }
}

const application = applicationOfTests();

const RUNTIMES: [name: string, find: () => Promise<Program>][] = [
  ["Node", findNode],
  ["Bun", findBun],
  ["Deno", () => findDeno([])],
];

for (const [name, find] of RUNTIMES) {
  for (const secured of [false, true]) {
    Deno.test(`${name} holds little of a flood ${secured ? "over TLS" : "in the clear"}`, async () => {
      const certificates = secured ? await makeCertificates() : null;
      await using peer = new FloodingPeer(certificates);
      const settings = JSON.stringify({
        url: certificates === null ? peer.flooding.url : peer.flooding.url.replace(":", "s:"),
        ...(certificates === null ? {} : { tls: { ca: certificates.ca } }),
        control: peer.control.address,
        flood: peer.blocks * BLOCK.length,
      });
      const program = await find();
      const run = await runToEnd([...program, "flood.mjs", settings], application.folder);
      assertEquals(run.ended, "with 0", run.stderr);
      const { most, messages, handled, queued, dropped } = JSON.parse(run.stdout);
      assert(most.undecoded < MOST_UNDECODED, `undecoded: ${most.undecoded}`);
      assert(most.buffered < MOST_BUFFERED, `buffered: ${most.buffered}`);
      assert(most.queued <= QUEUE.items, `queued: ${most.queued}`);
      assert(most.queuedBytes <= QUEUE.bytes, `queuedBytes: ${most.queuedBytes}`);
      assertEquals(messages, peer.blocks * 1_000);
      assertEquals(handled + queued + dropped, messages);
      assert(dropped > 0, "the handler cannot keep up");
    });
  }
}
