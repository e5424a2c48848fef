import { sleep, until } from "../../tests/servers/mod.ts";

/** A client in a process of its own, and what it has reported. */
export class Watcher implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  /** The keys it handed to its user, in hexadecimal, in order. */
  readonly heard: string[] = [];
  /** The events of its own that it emitted, in order. */
  readonly told: string[] = [];
  #watching = false;
  #noise = "";

  private constructor(readonly name: string, child: Deno.ChildProcess) {
    this.#child = child;
    this.#read = Promise.all([this.#follow(), this.#collect()]).then(() => {});
  }

  /** Resolves once it says that it is subscribed. */
  static async start(folder: string, name: string, urls: readonly string[]): Promise<Watcher> {
    const child = new Deno.Command("node", {
      args: ["client.mjs", name, ...urls],
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const watcher = new Watcher(name, child);
    try {
      await until(`${name} watches`, () => watcher.#watching);
      return watcher;
    } catch (cause) {
      await watcher[Symbol.asyncDispose]();
      throw new Error(`${name} does not subscribe: ${watcher.#noise}`, { cause });
    }
  }

  async #follow(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const said: { heard?: string; told?: string } = JSON.parse(line);
        if (said.heard !== undefined) this.heard.push(said.heard);
        else if (said.told !== undefined) this.told.push(said.told);
        else this.#watching = true;
      }
    }
  }

  async #collect(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#noise = (this.#noise + text).slice(-4096);
    }
  }

  /** What it has emitted since the first `before`, without repetitions. */
  toldSince(before: number): string[] {
    return [...new Set(this.told.slice(before))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#read;
  }
}

/** Resolves once nobody has heard anything new for a second, or all have heard `count` keys. */
export async function settled(watchers: readonly Watcher[], count: number): Promise<void> {
  let before = -1;
  for (;;) {
    const now = watchers.reduce((sum, { heard }) => sum + heard.length, 0);
    if (now === before || watchers.every(({ heard }) => heard.length >= count)) return;
    before = now;
    await sleep(1000);
  }
}
