/** Subscriptions that can never bring anything: a wrong event, a key without the prefix. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect, KeyspaceChannel } from "../../mod.ts";
import { startServer } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

const SERVER = { config: { "notify-keyspace-events": "KEA" } };

Deno.test("a misspelt event is warned of with the nearest, unless it may be a module's", async () => {
  await using server = await startServer(SERVER);
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  await using notifications = await connect(server.url, { onWarning });
  for (const event of ["expirred", "expirred", "json.sett", "utterly-else", "ex*"]) {
    await notifications.subscribeKeyevent(event);
  }
  await notifications.subscribeKeyspace("k", { events: ["hste"] });
  assertEquals(warnings, [
    '"__keyevent@0__:expirred" may never fire: expirred is not known: only a module or a newer ' +
    'server may send it; did you mean "expired"?',
    'The event "hste" may never fire: hste is not known: only a module or a newer server may send ' +
    'it; did you mean "hset"?',
  ]);
});

const NEVER: [keyOrPattern: string, instead: string][] = [
  ["user:1", "app:user:1"],
  ["user:*", "app:user:*"],
  ["ap:*", "app:ap:*"],
  ["apple*", "app:apple*"],
  ["\\*pp:*", "app:\\*pp:*"],
];

Deno.test("a key that never begins with keyPrefix is rejected, with what to write", async () => {
  await using server = await startServer(SERVER);
  await using notifications = await connect(server.url, { keyPrefix: "app:" });
  for (const [key, instead] of NEVER) {
    await assertRejects(
      () => notifications.subscribeKeyspace(key),
      TypeError,
      `write "${instead}"`,
    );
  }
  await assertRejects(() => notifications.subscribe("__keyspace@0__:k"), TypeError, '"app:k"');
  await assertRejects(
    () => notifications.subscribe(KeyspaceChannel.prefix("user", { db: "*" })),
    TypeError,
    'write "app:user*"',
  );
  assertEquals(notifications.subscribed, false);
  for (const key of ["app:user:1", "app:*", "a*", "*", "?pp:x", "app\\:*"]) {
    await notifications.subscribeKeyspace(key);
  }
  await notifications.subscribe(new KeyspaceChannel("app:1", { db: "*" }), "__key*__:*");
  await notifications.subscribeKeyevent("expired");
});

Deno.test("the channels of subkeys are checked by their key", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url, { flags: "ignore", keyPrefix: "a[" });
  const wrong = [
    () => notifications.subscribeSubkeyspace("k*"),
    () => notifications.subscribeSubkeyspaceitem("k", "a[f"),
    () => notifications.subscribeSubkeyspaceevent("hset", "k*"),
  ];
  const says = ['write "a\\[k*"', 'write "a[k"', 'write "a\\[k*"'];
  for (const [place, subscribe] of wrong.entries()) {
    await assertRejects(subscribe, TypeError, says[place]);
  }
  await notifications.subscribeSubkeyspaceevent("hset", "a\\[k");
  await notifications.subscribeSubkeyspaceitem("a\\[k", "field");
});
