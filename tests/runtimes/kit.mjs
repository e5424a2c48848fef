/** What a case is made with, and how cases are run. Names no runtime. */
import { connect } from "@keywatch/keywatch";
import { equal, ok, show } from "./expect.mjs";

export { equal, ok };

/** How long a case may take, and a wait in it, in ms: only what has failed comes to it. */
const CASE_LIMIT = 60_000;
const PATIENCE = 20_000;

/**
 * Longer than any runner waits, in ms. A timer of that length that outlives its connection keeps
 * the process from ending, and so is found out.
 */
export const FOREVER = 3_600_000;

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves once `condition` is true. */
export async function until(what, condition) {
  const deadline = Date.now() + PATIENCE;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await sleep(10);
  }
}

/** Fails unless the work rejects with this class, by `instanceof` and by `name`; the error. */
export async function rejects(Class, name, work) {
  let value;
  try {
    value = await work();
  } catch (error) {
    ok(error instanceof Class, `it rejects with a ${name}, not with ${error}`);
    ok(error instanceof Error, `a ${name} is an Error`);
    equal(error.name, name, "the error's name");
    return error;
  }
  throw new Error(`Expected a ${name}, but got ${show(value)}`);
}

/** The next notifications of the merged stream, as `event key`. */
export async function take(notifications, count) {
  const taken = [];
  while (taken.length < count) {
    const next = await notifications.getMessage({ timeout: PATIENCE });
    if (next === null) throw new Error(`Nothing came after ${show(taken)}`);
    taken.push(`${next.eventType} ${next.key}`);
  }
  return taken;
}

/** The next notification of the merged stream. */
export async function takeOne(notifications) {
  const next = await notifications.getMessage({ timeout: PATIENCE });
  ok(next !== null, "a notification comes");
  return next;
}

async function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not done within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One case's server, empty and with all flags set, and what the case opens there. */
class Scene {
  #host;
  #plain;
  #opened = [];
  /** The arguments of the script. */
  settings;

  static async open(host, settings) {
    const scene = new Scene();
    scene.#host = host;
    scene.settings = settings;
    scene.#plain = await host.connect(scene.url);
    await scene.commands([["FLUSHALL"], ["CONFIG", "SET", "notify-keyspace-events", "KEA"]]);
    return scene;
  }

  /** The server's URL, with the administrator's password. */
  get url() {
    return this.settings.url;
  }

  /** Connects with the package; closed when the case ends. */
  async connect(options = {}, url = this.url) {
    const notifications = await connect(url, { timeout: FOREVER, ...options });
    this.#opened.push(notifications);
    return notifications;
  }

  /** A connection for commands to any server; closed when the case ends. */
  async client(url) {
    const client = await this.#host.connect(url);
    this.#opened.push(client);
    return client;
  }

  /** Sends a command by a connection of its own; the reply. */
  command(...words) {
    return this.#plain.command(...words);
  }

  /** Sends commands in one write; their replies. */
  commands(commands) {
    return this.#plain.commands(commands);
  }

  /** A peer that is not a server: that `hangsUp`, that `says` bytes, or that stays silent. */
  async peer(options) {
    const peer = await this.#host.listen(options);
    this.#opened.push(peer);
    return peer;
  }

  /** The lines of `CLIENT LIST` that are the package's connections. */
  async connections() {
    const lines = (await this.command("CLIENT", "LIST")).split("\n");
    return lines.filter((line) => line.includes(" name=keywatch "));
  }

  /** Closes all that was opened; then the server must be rid of it too. */
  async end() {
    try {
      for (const opened of this.#opened) await opened.close();
      await until("the server has lost the connections", async () => {
        return (await this.connections()).length === 0;
      });
    } finally {
      this.#plain.close();
    }
  }
}

async function runCase({ run }, host, settings) {
  const scene = await Scene.open(host, settings);
  try {
    await run(scene);
  } finally {
    await scene.end();
  }
}

/** The cases for which there is what they need. */
export function possible(cases, host, settings) {
  const available = {
    "a peer": host.listen,
    "unix sockets": settings.unix,
    "sentinels": settings.sentinels,
    "a cluster": settings.cluster,
  };
  return cases.filter(({ needs }) => needs === undefined || available[needs] !== undefined);
}

/** Runs cases one after another, and reports how each ended. */
export async function* runCases(cases, host, settings) {
  for (const one of cases) {
    let error = null;
    try {
      await within(CASE_LIMIT, runCase(one, host, settings));
    } catch (thrown) {
      error = String(thrown?.stack ?? thrown);
    }
    yield { case: one.name, ok: error === null, ...(error === null ? {} : { error }) };
  }
}
