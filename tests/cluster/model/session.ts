import { Decoder } from "../../../resp/mod.ts";
import { hashSlot } from "../../../cluster/discovery/mod.ts";
import { answerCommand } from "./commands.ts";
import type { Emission } from "./history.ts";
import type { ModelNode, NodeSession } from "./node.ts";
import { type Answer, encodeAnswer, Failure, Push } from "./reply.ts";
import type { Served, Wire } from "./wire.ts";

const ALLOWED_IN_RESP2 = /^(?:[PS]?(?:UN)?SUBSCRIBE|PING|QUIT|RESET)$/;

/** Commands of which servers name the subcommand, too. */
const CONTAINERS = /^(?:ACL|CLIENT|CLUSTER|CONFIG|PUBSUB)$/;

/** One connection of the client, as its node sees it. */
export class Session implements Served, NodeSession {
  protocol: 2 | 3 = 2;
  readonly #node: ModelNode;
  readonly #wire: Wire;
  readonly #channels = new Set<string>();
  readonly #patterns = new Map<string, RegExp>();
  /** Shard channels, each with its slot. */
  readonly #shardChannels = new Map<string, number>();
  readonly #commands: string[][] = [];
  readonly #decoder = new Decoder({
    reply: (command) => this.#commands.push((command as unknown[]).map(String)),
    push() {},
  }, { strings: "text" });

  constructor(node: ModelNode, wire: Wire) {
    this.#node = node;
    this.#wire = wire;
    wire.server = this;
  }

  receive(bytes: Uint8Array | null): void {
    if (bytes === null) return void this.#node.sessions.delete(this);
    if (!this.#node.sessions.has(this)) return;
    this.#decoder.write(bytes);
    for (const command of this.#commands.splice(0)) {
      this.#node.run(() => this.#execute(command));
    }
  }

  /** Whether notifications are sent to it. */
  get isSubscribed(): boolean {
    return this.#channels.size + this.#patterns.size > 0;
  }

  /** Ends the connection from the node's side. */
  end(how: "end" | "reset"): void {
    this.#node.cluster.noteOutage(this.#node, 0);
    this.#node.sessions.delete(this);
    this.#wire.end(how);
  }

  /** Sends the notifications of an event, if the client has subscribed to them. */
  publish(emission: Emission): void {
    const { key, type } = emission;
    this.#publish(emission, "keyspace", `__keyspace@0__:${key}`, type);
    this.#publish(emission, "keyevent", `__keyevent@0__:${type}`, key);
  }

  /** The node does not own these slots any more, or was demoted. */
  breakFences(isLost: (slot: number) => boolean): void {
    for (const [channel, slot] of this.#shardChannels) {
      if (!isLost(slot)) continue;
      this.#shardChannels.delete(channel);
      this.#send(new Push(["sunsubscribe", channel, this.#shardChannels.size]));
    }
  }

  #publish(emission: Emission, kind: "keyspace" | "keyevent", channel: string, payload: string) {
    const { messages } = this.#node.cluster.history;
    const send = (items: readonly string[]) => {
      const message = { emission, kind, receivedAt: [] };
      messages.push(message);
      this.#wire.send(encodeAnswer(new Push(items), this.protocol), message);
    };
    if (this.#channels.has(channel)) send(["message", channel, payload]);
    for (const [pattern, regexp] of this.#patterns) {
      if (regexp.test(channel)) send(["pmessage", pattern, channel, payload]);
    }
  }

  #send(answer: Answer): void {
    this.#wire.send(encodeAnswer(answer, this.protocol));
  }

  #execute(command: readonly string[]): void {
    if (!this.#node.sessions.has(this)) return;
    const [name = "", ...words] = [command[0]?.toUpperCase(), ...command.slice(1)];
    const isBound = this.protocol === 2 && (this.isSubscribed || this.#shardChannels.size > 0);
    if (isBound && !ALLOWED_IN_RESP2.test(name)) {
      const whole = CONTAINERS.test(name) ? `${name}|${words[0]}` : name;
      return this.#send(
        new Failure(
          `ERR Can't execute '${whole.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / ` +
            "PING / QUIT / RESET are allowed in this context",
        ),
      );
    }
    switch (name) {
      case "HELLO":
        if (words[0] === "2" || words[0] === "3") this.protocol = words[0] === "3" ? 3 : 2;
        return this.#send(answerCommand(this.#node, name, words, this.protocol));
      case "PING":
        if (isBound) return this.#send(["pong", words[0] ?? ""]);
        return this.#send(answerCommand(this.#node, name, words, this.protocol));
      case "SUBSCRIBE":
      case "UNSUBSCRIBE":
      case "PSUBSCRIBE":
      case "PUNSUBSCRIBE":
        return this.#subscribe(name, words);
      case "SSUBSCRIBE":
      case "SUNSUBSCRIBE":
        return this.#subscribeShard(name, words);
      default:
        return this.#send(answerCommand(this.#node, name, words, this.protocol));
    }
  }

  #subscribe(name: string, words: readonly string[]): void {
    const isPattern = name.startsWith("P");
    const held = isPattern ? this.#patterns : this.#channels;
    const names = words.length > 0 ? words : [...held.keys()];
    for (const word of names) {
      if (name.includes("UN")) held.delete(word);
      else if (isPattern) this.#patterns.set(word, globRegExp(word));
      else this.#channels.add(word);
      const count = this.#channels.size + this.#patterns.size;
      this.#send(new Push([name.toLowerCase(), word, count]));
    }
  }

  #subscribeShard(name: string, words: readonly string[]): void {
    if (!this.#node.allowsFences) {
      const why =
        `${this.#node.cluster.profile.user} has no permissions to run the '${name.toLowerCase()}' command`;
      return this.#send(new Failure(`NOPERM ${why}`));
    }
    const slots = words.map((word) => hashSlot(word));
    if (slots.some((slot) => slot !== slots[0])) {
      return this.#send(
        new Failure("CROSSSLOT Keys in request don't hash to the same slot"),
      );
    }
    const moved = slots.length === 0 ? null : this.#node.shardOf(slots[0]!);
    if (moved !== null) return this.#send(moved);
    for (const [index, word] of words.entries()) {
      if (name === "SUNSUBSCRIBE") this.#shardChannels.delete(word);
      else this.#shardChannels.set(word, slots[index]!);
      this.#send(new Push([name.toLowerCase(), word, this.#shardChannels.size]));
    }
  }
}

/** Of globs as tests use them: `*` and escaped characters. */
function globRegExp(glob: string): RegExp {
  const parts = glob.match(/\\[^]|[^]/g)?.map((part) => {
    if (part === "*") return "[^]*";
    return part.at(-1)!.replace(/[^\w]/, "\\$&");
  });
  return new RegExp(`^${parts?.join("") ?? ""}$`);
}
