/**
 * `client NAME PORT`: loads one client, watches a key, writes it, and prints the milliseconds that
 * took from the first line on, and how many of them loading took, as a line of JSON.
 */
const begin = performance.now();
const { default: process } = await import("node:process");
const { command, openCommands } = await import("../load/command.ts");
const { tell } = await import("../tell.ts");

export interface Start {
  readonly loaded: number;
  readonly heard: number;
}

const [name, portText] = process.argv.slice(2) as [string, string];
const port = Number(portText);
const KEY = "start:key";
const CHANNEL = `__keyspace@0__:${KEY}`;

let heard: () => void = () => {};
const done = new Promise<void>((resolve) => heard = resolve);
let loaded = 0;
const take = (event: string): void => {
  if (event === "set") heard();
};

switch (name) {
  case "keywatch": {
    const { connect } = await import("@keywatch/keywatch");
    loaded = performance.now();
    const notifications = await connect(`redis://127.0.0.1:${port}`);
    await notifications.subscribe(CHANNEL, { handler: ({ eventType }) => take(eventType) });
    break;
  }
  case "redis": {
    const { createClient } = await import("redis");
    loaded = performance.now();
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    await client.connect();
    await client.subscribe(CHANNEL, (payload: string) => take(payload));
    break;
  }
  default: {
    const { Redis } = await import("ioredis");
    loaded = performance.now();
    const client = new Redis(port, "127.0.0.1");
    client.on("message", (_: string, payload: string) => take(payload));
    await client.subscribe(CHANNEL);
  }
}
openCommands(port).write(command("SET", KEY, "x"));
await done;
tell({ loaded: loaded - begin, heard: performance.now() - begin } satisfies Start);
