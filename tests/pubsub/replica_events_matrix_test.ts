import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { Channel } from "../../parse/mod.ts";
import { adviseOnReplica } from "../../pubsub/advice.ts";
import { CORPUS } from "../events/corpus.ts";
import { type Argument, matrix, startServer, type TestServer, until } from "../servers/mod.ts";
import { follow } from "./pair.ts";

const OPTIONS = {
  config: { "enable-debug-command": "local", databases: 4 },
};

/** Whether it is warned that a replica does not send an event. */
function isWarnedOf(event: string): boolean {
  let warnings = 0;
  const channel = new Channel(new TextEncoder().encode(`__keyevent@0__:${event}`), false);
  adviseOnReplica([channel], new Set(), () => warnings++);
  return warnings > 0;
}

/** The events of a server, in order. */
async function listen(server: TestServer): Promise<{ heard: string[] } & AsyncDisposable> {
  const heard: string[] = [];
  // The letters that all servers know; a server that knows more is given those too.
  for (const flags of ["AKEnm", "AKEnocm"]) {
    await server.command("CONFIG", "SET", "notify-keyspace-events", flags).catch(() => {});
  }
  const notifications = await connect(server.url, { flags: "ignore", onWarning() {} });
  const handler = ({ eventType }: { eventType: string }) => heard.push(eventType);
  await notifications.subscribeKeyevent("*", { db: "*", handler });
  return { heard, [Symbol.asyncDispose]: () => notifications.close() };
}

for (const binary of await matrix()) {
  Deno.test(`${binary.product} ${binary.version}: it is warned of all events that a replica does not send`, async () => {
    await using primary = await startServer({ ...OPTIONS, binary });
    await using replica = await startServer({ ...OPTIONS, binary });
    await follow(replica, primary);
    await using first = await listen(primary);
    await using second = await listen(replica);
    const send = async (command: string) => {
      const words: Argument[] = [];
      for (const word of command.split(" ")) {
        const key = /^DUMP:(.*)/.exec(word)?.[1];
        words.push(key ? await primary.commandBytes("DUMP", key) as Uint8Array : word);
      }
      return await primary.command(...words).then(() => true, () => false);
    };
    let marks = 0;
    /** Waits until both have reported all. What is published goes to the replica too, in its place. */
    const settle = async () => {
      const mark = `mark${++marks}`;
      await primary.command("PUBLISH", `__keyevent@0__:${mark}`, "");
      for (const { heard } of [first, second]) {
        await until(`${mark} comes`, () => heard.includes(mark));
      }
    };
    const only = new Map<string, string>();
    const onReplica = new Set<string>();
    for (const [label, ...steps] of CORPUS) {
      await send("CONFIG SET maxmemory 0");
      await send("DEBUG SET-ACTIVE-EXPIRE 1");
      await send("FLUSHALL");
      await settle();
      first.heard.length = second.heard.length = 0;
      let isKnown = true;
      for (const step of steps) {
        if (!step.startsWith("~")) isKnown = await send(step);
        else if (isKnown) await until(step, () => first.heard.includes(step.slice(1)));
      }
      await settle();
      for (const event of second.heard) onReplica.add(event);
      for (const event of first.heard) only.set(event, label);
    }
    for (const event of onReplica) only.delete(event);
    const silent = [...only.keys()].filter((event) => !isWarnedOf(event));
    assertEquals(silent, []);
    for (const event of ["expired", "evicted", "spop", "incrbyfloat", "hincrbyfloat"]) {
      assert(only.has(event), `${event} was not seen on the primary alone`);
    }
  });
}
