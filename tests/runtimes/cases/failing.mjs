/** What is wrong is refused, with an error that says what it is. */
import {
  AuthError,
  ConnectError,
  MissingFlagsError,
  SubscribeRefusedError,
  TimeoutError,
} from "@keywatch/keywatch";
import { equal, ok, rejects, until } from "../kit.mjs";

async function nobodyListens(scene) {
  const peer = await scene.peer({ hangsUp: false });
  await peer.close();
  const error = await rejects(
    ConnectError,
    "ConnectError",
    () => scene.connect({}, peer.url),
  );
  ok(error.message.includes(new URL(peer.url).host), `${error.message} names the server`);
  ok(error.cause instanceof Error, "the runtime's own error is the cause");
}

async function peerIsSilent(scene) {
  const peer = await scene.peer({ hangsUp: false });
  const error = await rejects(
    TimeoutError,
    "TimeoutError",
    () => scene.connect({ timeout: 200 }, peer.url),
  );
  equal(error.timeout, 200);
  await until("it has hung up", () => peer.connections === 0);
}

async function peerHangsUp(scene) {
  const peer = await scene.peer({ hangsUp: true });
  await rejects(ConnectError, "ConnectError", () => scene.connect({}, peer.url));
  await until("it has hung up too", () => peer.connections === 0);
}

async function serverIsFull(scene) {
  const [, before] = await scene.command("CONFIG", "GET", "maxclients");
  // The connection that sends this stays.
  await scene.command("CONFIG", "SET", "maxclients", "1");
  try {
    const credentials = () =>
      new Promise((resolve) => setTimeout(() => resolve({ password: "secret" }), 20));
    for (const protocol of [2, 3, undefined]) {
      for (const options of [{ protocol }, { protocol, credentials }]) {
        const { message } = await rejects(
          ConnectError,
          "ConnectError",
          () => scene.connect(options),
        );
        ok(message.includes("max number of clients reached"), `${message} says why`);
      }
    }
  } finally {
    await scene.command("CONFIG", "SET", "maxclients", before);
  }
}

function wrongPassword(protocol) {
  return async (scene) => {
    const url = `redis://${new URL(scene.url).host}`;
    const fails = (options) =>
      rejects(AuthError, "AuthError", () => scene.connect({ protocol, ...options }, url));
    await fails({ password: "wrong" });
    await fails({ username: "nobody", password: "wrong" });
    const { message } = await fails({});
    ok(message.includes("none was given"), `${message} says that there was none`);
  };
}

function emptyFlags(protocol) {
  return async (scene) => {
    await scene.command("CONFIG", "SET", "notify-keyspace-events", "");
    const notifications = await scene.connect({ protocol });
    const error = await rejects(
      MissingFlagsError,
      "MissingFlagsError",
      () => notifications.subscribeKeyspace("user:*"),
    );
    equal([error.server, error.configured, error.missing], [new URL(scene.url).host, "", "AK"]);
    equal(notifications.subscribed, false);
    await scene.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await notifications.subscribeKeyspace("user:*");
    equal(notifications.subscribed, true);
  };
}

function refusedChannel(protocol) {
  return async (scene) => {
    const rules = ["resetchannels", "&__keyspace@0__:mine", "+@all", "~*"];
    await scene.command("ACL", "SETUSER", "eve", "on", ">pw", ...rules);
    const notifications = await scene.connect({ protocol, username: "eve", password: "pw" });
    const error = await rejects(
      SubscribeRefusedError,
      "SubscribeRefusedError",
      () => notifications.subscribe("__keyspace@0__:theirs", "__keyspace@0__:mine"),
    );
    equal(error.refused.map(({ channel }) => `${channel}`), ["__keyspace@0__:theirs"]);
    equal(error.cause.name, "ServerError");
    equal([...notifications.status().nodes[0].subscriptions], ["__keyspace@0__:mine"]);
  };
}

async function malformedArguments(scene) {
  const urls = [
    "",
    "localhost",
    "127.0.0.1:6379",
    "redis//localhost",
    "redis://",
    "redis://:pw@",
    "redis://h:port",
    "redis://h:65536",
    "redis://h:0",
    "redis://h/name",
    "redis://h/0/1",
    "redis://h?db=1",
    "redis://h#1",
    "redis://:%zz@h",
    "redis://[::1",
    "http://h",
  ];
  for (const url of urls) {
    const { message } = await rejects(TypeError, "TypeError", () => scene.connect({}, url));
    ok(message.startsWith("Cannot read the server URL"), `of "${url}" it says: ${message}`);
  }
  const leaky = ["redis://u:12/Qx7Zv9@h", "redis://u:Qx7Zv9/0", "u:Qx7Zv9@h", "redis://u:Qx7Zv9@"];
  for (const url of leaky) {
    const error = await rejects(TypeError, "TypeError", () => scene.connect({}, url));
    // In some runtimes the errors of URL() have the URL as a property.
    const own = Object.getOwnPropertyNames(error).map((name) => String(error[name]));
    ok(!/qx7|x7z|7zv|zv9/i.test(own.join()), `it repeats a part of "${url}": ${own}`);
  }
  const options = [{ protocol: 4 }, { timeout: -1 }, { flags: "please" }, { queue: { items: 0 } }];
  for (const one of options) {
    await rejects(TypeError, "TypeError", () => scene.connect(one));
  }
  const notifications = await scene.connect();
  await rejects(TypeError, "TypeError", () => notifications.subscribe());
  await rejects(TypeError, "TypeError", () => notifications.subscribe("user:1"));
  await rejects(TypeError, "TypeError", () => notifications.getMessage({ timeout: -1 }));
  await rejects(RangeError, "RangeError", () => notifications.subscribeKeyspace("k", { db: -1 }));
}

export const failing = [
  { name: "nobody listening is a ConnectError", run: nobodyListens, needs: "a peer" },
  { name: "a silent server is a TimeoutError", run: peerIsSilent, needs: "a peer" },
  { name: "a server that hangs up is a ConnectError", run: peerHangsUp, needs: "a peer" },
  { name: "a server that is full says so", run: serverIsFull },
  { name: "RESP3: a wrong password is an AuthError", run: wrongPassword(3) },
  { name: "RESP2: a wrong password is an AuthError", run: wrongPassword(2) },
  { name: "RESP3: empty flags are a MissingFlagsError", run: emptyFlags(3) },
  { name: "RESP2: empty flags are a MissingFlagsError", run: emptyFlags(2) },
  { name: "RESP3: a refused channel is a SubscribeRefusedError", run: refusedChannel(3) },
  { name: "RESP2: a refused channel is a SubscribeRefusedError", run: refusedChannel(2) },
  { name: "malformed URLs, options and arguments are TypeErrors", run: malformedArguments },
];
