import { CHANNEL_PREFIXES } from "../parse/channel_type.ts";
import { Channel, toChannel } from "../parse/mod.ts";
import { ServerError } from "../resp/mod.ts";
import { type RefusedChannel, SubscribeRefusedError } from "./errors.ts";
import type { ChannelLike, SubscribeOptions, Subscription } from "./subscription.ts";
import { checkSignal, rejectUnknown } from "./connection/option_checks.ts";
import { excerpt } from "./connection/printable.ts";

/** The options of a subscription. */
const OPTIONS = ["handler", "batchHandler", "events", "keys", "db", "as", "signal"];

/**
 * Reads what `subscribe` was called with.
 *
 * @returns the channels, the options, and what rejects if one of these does not exist
 * @throws {TypeError} when an argument is not what it must be
 */
export function readArguments(
  args: readonly (ChannelLike | SubscribeOptions | undefined)[],
): {
  channels: readonly Channel[];
  options: SubscribeOptions;
  failure: Promise<never> | null;
} {
  const { names, options } = splitOptions<SubscribeOptions>(
    args.at(-1) === undefined ? args.slice(0, -1) : args,
  );
  if (names.length === 0) {
    throw new TypeError("Cannot subscribe: no channel is given");
  }
  checkSignal(options.signal);
  options.signal?.throwIfAborted();
  const { handler, batchHandler } = options;
  for (const [name, given] of Object.entries({ handler, batchHandler })) {
    if (given !== undefined && typeof given !== "function") {
      throw new TypeError(`Cannot subscribe: ${name} is not a function`);
    }
  }
  if (handler !== undefined && batchHandler !== undefined) {
    throw new TypeError("Cannot subscribe: handler and batchHandler exclude each other");
  }
  const failure = rejectUnknown(options, OPTIONS);
  return { channels: names.map(readSubscribable), options, failure };
}

/** Separates channels from the options that may follow them. */
export function splitOptions<Options extends object>(
  args: readonly (ChannelLike | Options | undefined)[],
): { names: readonly ChannelLike[]; options: Partial<Options> } {
  const last = args.at(-1);
  // What has a length is a list or bytes in the wrong place, and not to be passed over as options.
  const hasOptions = typeof last === "object" && last !== null && !(last instanceof Channel) &&
    !("length" in last) && !("byteLength" in last);
  const names = (hasOptions ? args.slice(0, -1) : args) as readonly ChannelLike[];
  return { names, options: hasOptions ? last as Options : {} };
}

/**
 * Reads one channel.
 *
 * @param task what is to be done with it, for messages
 * @throws {TypeError} when it is none
 */
export function readChannel(
  name: ChannelLike,
  place: number,
  task: "subscribe" | "unsubscribe",
): Channel {
  if (name instanceof Channel) return name;
  if (isChannelLike(name)) {
    try {
      return toChannel(name);
    } catch (cause) {
      throw new TypeError(
        `Cannot ${task}: argument ${place} is bytes that cannot be read; give a copy`,
        { cause },
      );
    }
  }
  const hint = Array.isArray(name)
    ? `; give the channels one by one: ${task}(...channels)`
    : typeof name === "function"
    ? "; give a handler as an option: { handler }"
    : "";
  throw new TypeError(
    `Cannot ${task}: argument ${place} is neither a channel nor text nor bytes${hint}`,
  );
}

function readSubscribable(name: ChannelLike, place: number): Channel {
  const channel = readChannel(name, place, "subscribe");
  if (!canBring(channel)) {
    throw new TypeError(
      `Cannot subscribe "${
        excerpt(`${channel}`, 100)
      }": no notification is ever sent there; for keys use ` +
        "subscribeKeyspace or new KeyspaceChannel(key)",
    );
  }
  return channel;
}

/** Whether notifications may come: what stands before the first glob character may begin theirs. */
function canBring(channel: Channel): boolean {
  if (channel.type !== null) return true;
  const [plain] = /^[^*?[\\]*/.exec(`${channel}`)!;
  return channel.isPattern && CHANNEL_PREFIXES.some((prefix) => prefix.startsWith(plain));
}

function isChannelLike(value: unknown): value is string | Uint8Array {
  // `instanceof` alone does not know bytes of another realm.
  return typeof value === "string" || value instanceof Uint8Array || ArrayBuffer.isView(value);
}

/**
 * Makes the error for channels that a server refused.
 *
 * @param subscription the subscription to the other channels; null if there are none
 */
export function subscribeError(
  refused: readonly RefusedChannel[],
  subscription: Subscription | null,
): SubscribeRefusedError {
  const each = refused.slice(0, 3).map(({ channel, server, error }) =>
    `"${excerpt(`${channel}`, 100)}" on ${server} (${error.message})`
  );
  const more = refused.length > 3 ? ` and ${refused.length - 3} more` : "";
  const message = `Cannot subscribe ${each.join(", ")}${more}; ${advice(refused[0]!)}` +
    (subscription === null ? "" : "; the others are subscribed");
  return new SubscribeRefusedError(message, refused, subscription);
}

function advice({ channel, error }: RefusedChannel): string {
  const command = channel.isPattern ? "psubscribe" : "subscribe";
  const exact = channel.isPattern ? ", or subscribe exact channels" : "";
  if (/unknown command/i.test(error.message)) {
    return `this server has no ${command.toUpperCase()}${exact}`;
  }
  if (error instanceof ServerError && error.code !== "NOPERM") return "see what the server says";
  // A right to a command is refused in other words than the right to a channel.
  return new RegExp(`'[^']*${command}[^']*'`, "i").test(error.message)
    ? `give the user the right to the command (ACL SETUSER … +${command})${exact}`
    : "give the user the right to these channels (ACL SETUSER … &pattern)";
}
