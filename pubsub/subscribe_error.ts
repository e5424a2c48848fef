import { ServerError } from "../resp/mod.ts";
import { type RefusedChannel, SubscribeRefusedError } from "./errors.ts";
import type { Subscription } from "./subscription.ts";
import { excerpt } from "./connection/printable.ts";

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
