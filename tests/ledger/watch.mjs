/**
 * Watches for the ledger, in the runtime that runs this, and prints what it is given, a JSON object
 * a line. The argument is JSON: `target` and `connect`, the arguments of `connect`; `channels`; and
 * `consumer`, `"loop"` or `"handler"`. The lines of standard input are orders: `close` and `open`
 * the way to the consumer, and `end`, after which the process ends by itself.
 *
 * A line has `state`, the status; `items`, what came since the line before; `failure`, once nothing more
 * comes; and `delays`, when nothing could run and for how long, in ms. An item is `["seen", event,
 * key, timestamp, migration]`, `["gap", gap, time]`, or `["reported", gap]`, with which `onGap` was called.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { connect, TimeoutError } from "@keywatch/keywatch";

/** How often it prints, and how late a timer may be on an idle machine, in ms. */
const TICK = 10;
const USUAL = 5;

const { target, channels, consumer, connect: options } = JSON.parse(process.argv[2]);

const items = [];
let opened = null;
let failure = null;

function print(state, delays) {
  const line = { state, items: items.splice(0), delays, ...(failure === null ? {} : { failure }) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function see({ eventType, key, timestamp, migration }) {
  items.push(["seen", eventType, key, timestamp, migration]);
}

/** Resolves while the way is open. */
async function pass() {
  while (opened !== null) await opened.promise;
}

function open() {
  opened?.resolve();
  opened = null;
}

function close() {
  if (opened !== null) return;
  opened = {};
  opened.promise = new Promise((resolve) => opened.resolve = resolve);
}

async function read(notifications) {
  for await (const item of notifications.listen({ gaps: true })) {
    await pass();
    if (item.kind === "gap") items.push(["gap", item, Date.now()]);
    else see(item);
  }
}

function handler(notification) {
  return opened === null ? see(notification) : pass().then(() => see(notification));
}

async function subscribe() {
  const notifications = await connect(target, {
    ...options,
    onGap(gap) {
      items.push(["reported", gap]);
      if (consumer === "handler") items.push(["gap", gap, Date.now()]);
    },
    onWarning() {},
    onError() {},
  });
  try {
    await notifications.subscribe(...channels, consumer === "handler" ? { handler } : {});
    return notifications;
  } catch (error) {
    await notifications.close();
    throw error;
  }
}

/** Subscribes; a machine that is too busy just then gets another chance. */
async function start(chances) {
  try {
    return await subscribe();
  } catch (error) {
    if (chances === 1 || !(error instanceof TimeoutError)) throw error;
    items.length = 0;
    return await start(chances - 1);
  }
}

const notifications = await start(5);
const reading = consumer === "loop"
  ? read(notifications).catch((error) => failure = String(error))
  : Promise.resolve();

let due = Date.now();
const tick = () => {
  const late = Date.now() - due;
  print(notifications.status(), late > USUAL ? [[due, late]] : []);
  due = Date.now() + TICK;
  timer = setTimeout(tick, TICK);
};
let timer = setTimeout(tick);

for await (const order of createInterface({ input: process.stdin })) {
  if (order === "close") close();
  else if (order === "open") open();
  else if (order === "end") break;
}
clearTimeout(timer);
open();
await notifications.close();
await reading;
print(notifications.status(), []);
process.stdin.destroy();
