/** Coming, being known, and going. */
import * as keywatch from "@keywatch/keywatch";
import * as pubsub from "@keywatch/keywatch/pubsub";
import { equal, FOREVER, ok, rejects, until } from "../kit.mjs";

const { ClosedError, KeyspaceNotifications } = keywatch;

/** A URL of the same server, with other credentials and database. */
function urlOf(scene, { user = "", password, path = "" }) {
  const { host } = new URL(scene.url);
  return `redis://${user}:${password}@${host}${path}`;
}

function connectsBy(protocol, options) {
  return async (scene) => {
    const notifications = await scene.connect(options);
    ok(notifications instanceof KeyspaceNotifications, "it is what it is said to be");
    equal(notifications.status().nodes[0].protocol, protocol);
    const [connection] = await scene.connections();
    ok(
      connection.includes(` resp=${protocol}`),
      `the server speaks RESP${protocol}: ${connection}`,
    );
  };
}

function logsIn(protocol) {
  return async (scene) => {
    await scene.command("ACL", "SETUSER", "bo", "on", ">p@ss:wörd/%", "~*", "&*", "+@all");
    const users = async () =>
      (await scene.connections()).map((line) => / user=(\S*)/.exec(line)[1]).sort();
    const { password } = new URL(scene.url);
    const { host } = new URL(scene.url);
    await scene.connect({ protocol, password }, `redis://${host}`);
    await scene.connect({ protocol, username: "bo", password: "p@ss:wörd/%" });
    equal(await users(), ["bo", "default"]);
    await scene.connect(
      { protocol },
      urlOf(scene, { user: "bo", password: encodeURIComponent("p@ss:wörd/%") }),
    );
    equal(await users(), ["bo", "bo", "default"]);
  };
}

/** `URL` is the runtime's own, and this scheme is none that it knows. */
function readsUrls() {
  const read = (url) => {
    const { address, ...rest } = pubsub.parseUrl(url);
    return { ...address, ...rest };
  };
  equal(read("redis://h"), { hostname: "h", port: 6379 });
  equal(read("redis://:s%40%C3%A9@[::1]:6380/2"), {
    hostname: "::1",
    port: 6380,
    password: "s@é",
    database: 2,
  });
  equal(read(new URL("redis://bo:pw@Example.com:1/")), {
    hostname: "Example.com",
    port: 1,
    username: "bo",
    password: "pw",
  });
}

async function tellsStatus(scene) {
  const notifications = await scene.connect();
  const { host } = new URL(scene.url);
  const version = /(?:redis|valkey)_version:(\S+)/g;
  const info = await scene.command("INFO", "server");
  const before = notifications.status();
  equal(Object.keys(before).sort(), ["dropped", "gaps", "nodes", "queued", "queuedBytes", "state"]);
  equal([before.state, before.gaps, before.queued, before.nodes.length], ["ready", 0, 0, 1]);
  equal([before.nodes[0].messages, before.nodes[0].lastMessage], [0, null]);
  equal(notifications.subscribed, false);
  await notifications.subscribeKeyspace("a*");
  equal(notifications.subscribed, true);
  await scene.command("SET", "a1", "x");
  await until("it has come", () => notifications.status().queued === 1);
  const { nodes: [node] } = notifications.status();
  equal([node.node, node.state, node.role], [host, "ready", "primary"]);
  equal([...node.subscriptions], ["__keyspace@0__:a*"]);
  equal([node.flags, node.messages, node.malformed], ["AKE", 1, 0]);
  ok(["redis", "valkey"].includes(node.software), `${node.software} is a server`);
  ok([...info.matchAll(version)].some(([, one]) => one === node.version), node.version);
  ok(node.bytes > 0 && node.since > 0 && node.lastMessage >= node.since, "the figures fit");
  await notifications.close();
  equal([notifications.status().state, notifications.status().nodes[0].state], [
    "closed",
    "closed",
  ]);
}

async function obeysSignal(scene) {
  const before = AbortSignal.abort();
  equal(
    await scene.connect({ signal: before }).catch((error) => error === before.reason),
    true,
    "an aborted signal's own reason is thrown",
  );

  const peer = await scene.peer({ hangsUp: false });
  const during = new AbortController();
  const connecting = scene.connect({ signal: during.signal }, peer.url);
  const outcome = connecting.then(() => "connected", (error) => error);
  await until("it waits for an answer", () => peer.connections === 1);
  during.abort(new Error("enough"));
  equal((await outcome).message, "enough");
  await until("it has hung up", () => peer.connections === 0);

  const after = new AbortController();
  const notifications = await scene.connect({ signal: after.signal });
  const next = notifications.listen().next();
  after.abort();
  equal((await next).done, true);
  equal(notifications.status().state, "closed");
}

async function closes(scene) {
  const notifications = await scene.connect();
  await notifications.subscribeKeyevent("set");
  const waiting = notifications.listen().next();
  const left = (async () => {
    for await (const { key } of notifications) throw new Error(`${key} came`);
    return "left";
  })();
  const message = notifications.getMessage({ timeout: FOREVER });
  message.catch(() => {});
  await notifications.close();
  await notifications.close();
  equal((await waiting).done, true);
  equal(await left, "left");
  await rejects(ClosedError, "ClosedError", () => message);
  equal((await notifications.listen().next()).done, true);
  equal(notifications.subscribed, false);
  await rejects(ClosedError, "ClosedError", () => notifications.getMessage());
  await rejects(ClosedError, "ClosedError", () => notifications.subscribeKeyevent("set"));
  await until("the server has lost it", async () => (await scene.connections()).length === 0);

  const disposed = await scene.connect();
  const hold = await disposed.subscribeKeyspace("k");
  await hold[Symbol.asyncDispose]();
  equal(disposed.subscribed, false);
  await disposed[Symbol.asyncDispose]();
  equal(disposed.status().state, "closed");
}

export const connecting = [
  { name: "server URLs are read alike", run: readsUrls },
  { name: "connects by RESP3", run: connectsBy(3, {}) },
  { name: "connects by RESP2 with the option", run: connectsBy(2, { protocol: 2 }) },
  { name: "RESP3: logs in with a password, or a user and password", run: logsIn(3) },
  { name: "RESP2: logs in with a password, or a user and password", run: logsIn(2) },
  { name: "status describes the servers", run: tellsStatus },
  {
    name: "an abort signal ends it, before, while and after connecting",
    run: obeysSignal,
    needs: "a peer",
  },
  { name: "close ends every loop and every wait", run: closes },
];
