import { ChannelType, type KeyNotification } from "../../mod.ts";

const utf8 = new TextEncoder();

/** A notification as the server sent it. */
export interface WireMessage {
  /** The channel. */
  readonly channel: Uint8Array;
  /** The payload. */
  readonly payload: Uint8Array;
}

/** Makes the message of a notification again, with keys and subkeys to the byte. */
export function toWire(notification: KeyNotification): WireMessage {
  const { kind, database, eventType: event, keyBytes: key, subkeyBytes: subkeys } = notification;
  const list = () => subkeys.flatMap((subkey, i) => [i === 0 ? "" : ",", ...counted(subkey)]);
  const halves = (): [channel: (string | Uint8Array)[], payload: (string | Uint8Array)[]] => {
    switch (kind) {
      case ChannelType.KEYSPACE:
        return [[key], [event]];
      case ChannelType.KEYEVENT:
        return [[event], [key]];
      case ChannelType.SUBKEYSPACE:
        return [[key], [event, "|", ...list()]];
      case ChannelType.SUBKEYEVENT:
        return [[event], [...counted(key), "|", ...list()]];
      case ChannelType.SUBKEYSPACEITEM:
        return [[key, "\n", ...subkeys], [event]];
      case ChannelType.SUBKEYSPACEEVENT:
        return [[event, "|", key], list()];
    }
  };
  const [channel, payload] = halves();
  return { channel: join([`__${kind}@${database}__:`, ...channel]), payload: join(payload) };
}

function counted(bytes: Uint8Array): [string, Uint8Array] {
  return [`${bytes.length}:`, bytes];
}

function join(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const all = parts.map((part) => typeof part === "string" ? utf8.encode(part) : part);
  const bytes = new Uint8Array(all.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of all) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
