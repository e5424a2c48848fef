import {
  type Address,
  formatAddress,
  KeyspaceNotifications,
  type RefusedChannel,
  ServerError,
  SubscribeRefusedError,
} from "../../mod.ts";
import { connectOptions, formatUrl } from "../connection.ts";
import { messageOf } from "../message.ts";
import type { Checkup } from "./checkup.ts";
import type { Findings } from "./finding.ts";
import { lacksCommand, redisCli, shellWord } from "./fixes.ts";

const TOPIC = "subscribing";

/** Connects to one server as the library does, so that what works here works there. */
export function watchNode(
  address: Address,
  { target, signal }: Pick<Checkup, "target" | "signal">,
  protocol?: 2 | 3,
): Promise<KeyspaceNotifications> {
  return KeyspaceNotifications.connect(formatUrl(address, target.tls !== undefined, "*"), {
    ...connectOptions(target),
    ...(protocol === undefined ? {} : { protocol }),
    clientName: "keywatch-doctor",
    // All of these are looked at one by one.
    flags: "ignore",
    singleNode: true,
    maxAttempts: 0,
    quiet: true,
    onError() {},
    onWarning() {},
    signal,
  });
}

/** Subscribes what is asked for, in the protocol that was agreed on, and in RESP2. */
export async function checkSubscribing(
  notifications: KeyspaceNotifications,
  user: string,
  address: Address,
  checkup: Checkup,
  findings: Findings,
): Promise<void> {
  const { channels } = checkup.selection;
  const protocol = notifications.status().nodes[0]!.protocol ?? 2;
  const commands = [...new Set(channels.map((one) => one.isPattern ? "PSUBSCRIBE" : "SUBSCRIBE"))];
  const what = `${commands.join(" and ")} ${shorten(channels.map((channel) => `${channel}`))}`;
  try {
    await notifications.subscribe(...channels);
  } catch (error) {
    if (error instanceof SubscribeRefusedError) {
      const refused = error.refused.map(({ channel }) => `${channel}`);
      const words = error.refused[0]!.error.message;
      const text = `${shorten(refused)} is refused: ${words}`;
      return findings.wrong(TOPIC, text, ...fixRefusal(error.refused, user, address, checkup));
    }
    // In the one protocol it breaks; perhaps it does not in the other.
    const helps = protocol === 3 && await subscribesInResp2(address, checkup) === null;
    return findings.wrong(
      TOPIC,
      `${what}: ${messageOf(error)}`,
      ...(helps ? ["in RESP2 it works: give connect the option protocol: 2"] : []),
    );
  }
  if (protocol === 2) return findings.right(TOPIC, `${what} is taken, in RESP2`);
  const why = await subscribesInResp2(address, checkup);
  if (why === null) findings.right(TOPIC, `${what} is taken, in RESP3 and in RESP2`);
  else findings.right(TOPIC, `${what} is taken in RESP3; in RESP2 it is not (${why})`);
}

/** Why it does not work in RESP2; null when it does. */
async function subscribesInResp2(address: Address, checkup: Checkup): Promise<string | null> {
  let notifications: KeyspaceNotifications | undefined;
  try {
    notifications = await watchNode(address, checkup, 2);
    await notifications.subscribe(...checkup.selection.channels);
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    await notifications?.close();
  }
}

/** What gives a user the right to channels that were refused; nothing where that is not what it lacks. */
export function fixRefusal(
  refused: readonly RefusedChannel[],
  user: string,
  address: Address,
  { target }: Checkup,
): string[] {
  const error = refused[0]!.error;
  const { isPattern } = refused[0]!.channel;
  const command = isPattern ? "psubscribe" : "subscribe";
  if (/unknown command/i.test(error.message)) {
    return [
      `${formatAddress(address)} has no ${command.toUpperCase()}` +
      (isPattern
        ? ": exact keys or events of one database may do, such as --event expired --db 0"
        : ""),
    ];
  }
  if (!(error instanceof ServerError) || error.code !== "NOPERM") return [];
  // As somebody who may.
  const admin = redisCli(address, { ...target, username: undefined });
  const rights = lacksCommand(error)
    ? `+${command}`
    : refused.map(({ channel }) => shellWord(`&${channel}`)).join(" ");
  return [`${admin} ACL SETUSER ${shellWord(user)} ${rights}`];
}

function shorten(names: readonly string[]): string {
  return names.length <= 3 ? names.join(" ") : `${names.slice(0, 3).join(" ")} … (${names.length})`;
}
