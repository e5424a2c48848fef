/** What is subscribed to, half of the messages by each. */
export const PATTERNS = ["__keyspace@0__:*", "__keyevent@0__:*"] as const;

const EVENTS = ["set", "expire", "del", "hset", "expired", "lpush", "incrby", "zadd"];

const utf8 = new TextEncoder();

/** `count` messages, each with a key of its own, in the order of no sorted set. */
export function frames(protocol: 2 | 3, count: number): Uint8Array {
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    const key = `user:${1_000_000 + (i * 7919) % count}:cart`;
    const event = EVENTS[(i * 31 >> 1) % EVENTS.length]!;
    const [pattern, name, payload] = i % 2 === 0
      ? [PATTERNS[0], key, event]
      : [PATTERNS[1], event, key];
    const channel = pattern.slice(0, -1) + name;
    const type = protocol === 3 ? ">" : "*";
    parts.push(`${type}4\r\n${["pmessage", pattern, channel, payload].map(bulk).join("")}`);
  }
  return utf8.encode(parts.join(""));
}

export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
