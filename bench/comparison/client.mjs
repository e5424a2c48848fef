/**
 * One client that watches `set` events, in Node: `node client.mjs NAME URL…`; several URLs are the
 * nodes of a cluster. Each is used as its documents show, with nothing set but where the server is.
 * Prints a line of JSON for each key it hands to its user and each event of its own that it emits.
 */
const [name, ...urls] = process.argv.slice(2);

const CHANNEL = "__keyevent@0__:set";
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const told = (what) => say({ told: what });
const heard = (key) => say({ heard: Buffer.from(key).toString("hex") });

/** Says when the client emits one of these. */
function report(emitter, names) {
  for (const event of names) {
    emitter.on(
      event,
      (error) => told(event === "error" ? `error ${error?.code ?? ""}`.trim() : event),
    );
  }
}

const hostOf = (url) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

async function watchByIoredis(library) {
  const { default: Redis } = await import(library);
  const client = urls.length === 1 ? new Redis(urls[0]) : new Redis.Cluster(urls.map(hostOf));
  report(client, ["error", "close", "reconnecting", "ready", "end"]);
  client.on("pmessage", (_pattern, _channel, key) => heard(key));
  await client.psubscribe(CHANNEL);
}

const clients = {
  async keywatch() {
    const { connect } = await import("./keywatch.mjs");
    const notifications = await connect(urls.length === 1 ? urls[0] : urls, {
      onError: (error) => told(error.name),
      onGap: ({ reason }) => told(`gap ${reason}`),
      onWarning: () => told("warning"),
    });
    await notifications.subscribeKeyevent("set", { handler: ({ keyBytes }) => heard(keyBytes) });
  },
  async redis() {
    const { createClient, createCluster } = await import("redis");
    const client = urls.length === 1
      ? createClient({ url: urls[0] })
      : createCluster({ rootNodes: urls.map((url) => ({ url })) });
    report(client, ["error", "reconnecting", "ready", "end"]);
    await client.connect();
    await client.pSubscribe(CHANNEL, (key) => heard(key));
  },
  ioredis: () => watchByIoredis("ioredis"),
  iovalkey: () => watchByIoredis("iovalkey"),
};

await clients[name]();
say({ watching: true });
