/** What the replay sends: messages of two patterns, of exact channels, or with long keys. */
export type Script =
  /** Half of them keyspace, half keyevent messages, each of another key. */
  | { readonly kind: "patterns"; readonly count: number }
  /** Messages of so many channels, {@linkcode channelOf}, in a scattered order. */
  | { readonly kind: "channels"; readonly count: number; readonly channels: number }
  /** As `patterns`, with keys that make each frame so long, in bytes. */
  | { readonly kind: "sizes"; readonly count: number; readonly bytes: number };

/** What is subscribed to for `patterns` and `sizes`. */
export const PATTERNS = ["__keyspace@0__:*", "__keyevent@0__:*"] as const;

const EVENTS = ["set", "expire", "del", "hset", "expired", "lpush", "incrby", "zadd"];

const utf8 = new TextEncoder();

/** The exact channel of that number. */
export function channelOf(index: number): string {
  return `__keyspace@0__:${keyOf(index)}`;
}

/** All messages of a script, one after another. */
export function frames(script: Script, protocol: 2 | 3): Uint8Array {
  const { count } = script;
  const type = protocol === 3 ? ">" : "*";
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    const event = EVENTS[(i * 31 >> 1) % EVENTS.length]!;
    if (script.kind === "channels") {
      const channel = channelOf(i * 7919 % script.channels);
      parts.push(`${type}3\r\n${["message", channel, event].map(bulk).join("")}`);
      continue;
    }
    const key = script.kind === "sizes"
      ? "k".repeat(Math.max(1, script.bytes - AROUND - event.length))
      : keyOf(i * 7919 % count);
    const [pattern, name, payload] = i % 2 === 0
      ? [PATTERNS[0], key, event]
      : [PATTERNS[1], event, key];
    const channel = pattern.slice(0, -1) + name;
    parts.push(`${type}4\r\n${["pmessage", pattern, channel, payload].map(bulk).join("")}`);
  }
  return utf8.encode(parts.join(""));
}

/** How long a frame is beside its key and event, in bytes. */
const AROUND = 69;

function keyOf(index: number): string {
  return `user:${1_000_000 + index}:cart`;
}

/** Text as RESP has it; every character of it one byte. */
export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
