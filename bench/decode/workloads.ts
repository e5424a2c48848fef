/** Something to decode. */
export interface Workload {
  /** Stable name, for the peers to be found by. */
  readonly id: string;
  readonly title: string;
  /** How many times as fast as the faster peer it is meant to be. */
  readonly goal: number;
  readonly protocol: 2 | 3;
  readonly strings: "text" | "bytes";
  /** How often it is decoded in a round, when once takes too little to be measured. */
  readonly times?: number;
  /** Whether the bytes that the peers give are copied, to be kept without their chunks as these are. */
  readonly isKept?: boolean;
  readonly bytes: Uint8Array;
  readonly chunkSize: number;
}

const FRAMES = 200_000;
const ITEMS = 200_000;
const SHARDS = 1_000;
const BULK_LENGTH = 32 * 2 ** 20;
const LARGE_CHUNK = 64 * 2 ** 10;
const SMALL_CHUNK = 1_400;

const EVENTS = ["set", "expire", "del", "hset", "expired", "lpush", "incrby", "zadd"];

const utf8 = new TextEncoder();

/** All workloads, the frames first. */
export function workloads(): readonly Workload[] {
  const frames = (
    protocol: 2 | 3,
    keys: number,
    chunkSize: number,
    goal: number,
  ): Workload => ({
    id: `frames-${protocol}-${keys}-${chunkSize}`,
    title: `200,000 \`pmessage\` frames of RESP${protocol}, ` +
      `${keys === FRAMES ? "every key new" : `${keys.toLocaleString("en")} keys`}, ` +
      `${chunkSize.toLocaleString("en")}-byte chunks`,
    goal,
    protocol,
    strings: "text",
    bytes: pmessages(protocol === 3 ? ">" : "*", keys),
    chunkSize,
  });
  const list = utf8.encode(array());
  const large = bulkOf(BULK_LENGTH);
  return [
    frames(3, 1_000, LARGE_CHUNK, 5),
    frames(2, 1_000, LARGE_CHUNK, 5),
    frames(3, FRAMES, LARGE_CHUNK, 5),
    frames(2, FRAMES, LARGE_CHUNK, 5),
    frames(3, 1_000, SMALL_CHUNK, 3),
    frames(2, 1_000, SMALL_CHUNK, 3),
    frames(3, FRAMES, SMALL_CHUNK, 3),
    frames(2, FRAMES, SMALL_CHUNK, 3),
    ...(["text", "bytes"] as const).flatMap((strings): Workload[] => [
      {
        id: `array-${strings}`,
        title: `one array of 200,000 bulk strings as ${strings}`,
        goal: 1,
        protocol: 2,
        strings,
        bytes: list,
        chunkSize: LARGE_CHUNK,
      },
      {
        id: `bulk-${strings}`,
        title: `a 32 MiB bulk as ${strings}`,
        goal: 1,
        protocol: 2,
        strings,
        bytes: large,
        chunkSize: LARGE_CHUNK,
      },
    ]),
    {
      id: "kept",
      title: "one array of 200,000 bulk strings as bytes, the peers' copied too",
      goal: 1,
      protocol: 2,
      strings: "bytes",
      isKept: true,
      bytes: list,
      chunkSize: LARGE_CHUNK,
    },
    {
      id: "shards",
      title: "`CLUSTER SHARDS` of 1,000 shards",
      goal: 1,
      protocol: 3,
      strings: "text",
      bytes: utf8.encode(shards()),
      times: 20,
      chunkSize: LARGE_CHUNK,
    },
  ];
}

/** Half of them keyspace, half keyevent; the keys come round in a scattered order. */
function pmessages(type: string, keys: number): Uint8Array {
  const frames: string[] = [];
  for (let i = 0; i < FRAMES; i++) {
    const key = `user:${1_000_000 + (i * 7919) % keys}`;
    const event = EVENTS[(i * 31) % EVENTS.length]!;
    const [prefix, name, payload] = i % 2 === 0
      ? ["__keyspace@0__:", key, event]
      : ["__keyevent@0__:", event, key];
    frames.push(
      `${type}4\r\n$8\r\npmessage\r\n${bulk(`${prefix}*`)}${bulk(prefix + name)}${bulk(payload)}`,
    );
  }
  return utf8.encode(frames.join(""));
}

function array(): string {
  const items: string[] = [];
  for (let i = 0; i < ITEMS; i++) items.push(bulk(`user:${1_000_000 + (i * 7919) % ITEMS}`));
  return `*${ITEMS}\r\n${items.join("")}`;
}

function bulkOf(length: number): Uint8Array {
  const head = utf8.encode(`$${length}\r\n`);
  const bytes = new Uint8Array(head.length + length + 2).fill(0x78);
  bytes.set(head);
  bytes.set([13, 10], head.length + length);
  return bytes;
}

/** As a server of version 7.2 replies it: a primary and a replica in each shard. */
function shards(): string {
  const reply: string[] = [`*${SHARDS}\r\n`];
  for (let i = 0; i < SHARDS; i++) {
    const first = Math.floor(i * 16384 / SHARDS);
    const last = Math.floor((i + 1) * 16384 / SHARDS) - 1;
    reply.push(`%2\r\n${bulk("slots")}*2\r\n:${first}\r\n:${last}\r\n${bulk("nodes")}*2\r\n`);
    reply.push(node(i, "master"), node(i, "replica"));
  }
  return reply.join("");
}

function node(shard: number, role: string): string {
  const number = shard * 2 + (role === "master" ? 0 : 1);
  const ip = `10.0.${number >> 8}.${number & 255}`;
  const id = (BigInt(number) * 0x9e3779b97f4a7c15f39cc0605cedc834n % (1n << 160n)).toString(16);
  const fields = [
    ["id", bulk(id.padStart(40, "0"))],
    ["port", ":6379\r\n"],
    ["ip", bulk(ip)],
    ["endpoint", bulk(ip)],
    ["hostname", bulk("")],
    ["role", bulk(role)],
    ["replication-offset", `:${72156 + number}\r\n`],
    ["health", bulk("online")],
  ] as const;
  return `%${fields.length}\r\n${fields.map(([name, value]) => bulk(name) + value).join("")}`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
