/**
 * `client PORT UNIT`: prints what this process occupies in several situations, as a line of JSON.
 * UNIT stands for a million notifications.
 */
import process from "node:process";
import { connect } from "../../mod.ts";
import { startReplay } from "../load/command.ts";
import { channelOf, PATTERNS, type Script } from "../load/frames.ts";
import { tell } from "../tell.ts";
import { sleep } from "../../tests/servers/wait.ts";

/** Bytes of memory that are resident. */
export interface Sizes {
  /** With the module loaded, before anything is connected. */
  readonly loaded: number;
  /** Connected, two patterns subscribed. */
  readonly idle: number;
  readonly after1: number;
  readonly after50: number;
  /** What lives in the heap of JavaScript after a million, and after 50. */
  readonly heap1: number;
  readonly heap50: number;
  readonly channels: number;
  readonly full: number;
  /** How many notifications the full queue held. */
  readonly queued: number;
}

const CHANNELS = 10_000;

const [port, unit] = process.argv.slice(2).map(Number) as [number, number];
const url = `redis://127.0.0.1:${port}`;
const script: Script = { kind: "patterns", count: unit };

/** The same as the others look at: what is garbage is taken away first. */
async function resident(): Promise<number> {
  const { gc, Bun } = globalThis as { gc?(): void; Bun?: { gc(force: boolean): void } };
  for (let turn = 0; turn < 5; turn++) {
    gc?.();
    Bun?.gc(true);
    await sleep(100);
  }
  return process.memoryUsage().rss;
}

type Watched = Pick<Sizes, "idle" | "after1" | "after50" | "heap1" | "heap50">;

async function watched(): Promise<Watched> {
  await using notifications = await connect(url);
  let left = 0;
  let characters = 0;
  let reached = () => {};
  const handler = ({ key, eventType }: { key: string; eventType: string }) => {
    characters += key.length + eventType.length;
    if (--left === 0) reached();
  };
  await notifications.subscribe(...PATTERNS, { handler });
  const take = async (units: number): Promise<number> => {
    left = units * unit;
    const taken = new Promise<void>((resolve) => reached = resolve);
    startReplay(port, script, units);
    await taken;
    return await resident();
  };
  const heap = () => process.memoryUsage().heapUsed;
  const sizes: Watched = {
    idle: await resident(),
    after1: await take(1),
    heap1: heap(),
    after50: await take(49),
    heap50: heap(),
  };
  if (characters < 50 * unit * 10) throw new Error("The texts are not whole");
  return sizes;
}

async function subscribed(): Promise<number> {
  await using notifications = await connect(url);
  await notifications.subscribe(...Array.from({ length: CHANNELS }, (_, i) => channelOf(i)));
  return await resident();
}

async function filled(): Promise<Pick<Sizes, "full" | "queued">> {
  await using notifications = await connect(url, { onGap() {} });
  await notifications.subscribe(...PATTERNS);
  startReplay(port, script, 1);
  while (notifications.status().nodes[0]!.messages < unit) {
    await sleep(50);
  }
  return { full: await resident(), queued: notifications.status().queued };
}

const loaded = await resident();
const sizes: Sizes = {
  loaded,
  ...await watched(),
  channels: await subscribed(),
  ...await filled(),
};
tell(sizes);
