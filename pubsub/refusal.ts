import { ServerError } from "../resp/mod.ts";
import type { RefusedChannel } from "./errors.ts";
import { excerpt } from "./connection/printable.ts";

/** Says what was refused, and what to do about it. */
export function describeRefused(refused: readonly RefusedChannel[], someAreHeld: boolean): string {
  const each = refused.slice(0, 3).map(({ channel, server, error }) =>
    `"${excerpt(`${channel}`, 100)}" on ${server} (${error.message})`
  );
  const more = refused.length > 3 ? ` and ${refused.length - 3} more` : "";
  return `Cannot subscribe ${each.join(", ")}${more}; ${advice(refused[0]!)}` +
    (someAreHeld ? "; the others are subscribed" : "");
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
