import { spawn } from "node:child_process";
import process from "node:process";
import { decodeStrict, printableBytes } from "../byte_text.ts";
import { formatFlush, formatGap } from "../format.ts";
import { messageOf } from "../message.ts";
import { excerpt } from "../../pubsub/connection/printable.ts";
import type { Notes } from "../open.ts";
import { JsonFormat } from "../watch/json_format.ts";
import type { Item, Sink } from "./sink.ts";
import { PLACEHOLDERS, type Template, type Values, valuesOf } from "./template.ts";
import type { KeyNotification } from "../../mod.ts";

/** What an {@linkcode ExecSink} is made with. */
export interface ExecSinkOptions {
  /** The command; a text is one for a shell, which gets the values as variables. */
  readonly command: Template | string;
  /** How many run at the same time. */
  readonly jobs: number;
  /** After how long a command is killed, in ms. */
  readonly timeout: number | undefined;
  readonly output: Notes;
}

/** Codes of a command that cannot be run now, or with these arguments: a key may be too long for one. */
const PASSING = new Set(["E2BIG", "EAGAIN", "EMFILE", "ENFILE", "ENOMEM"]);

/** Runs a command for each notification, a bounded number at the same time. */
export class ExecSink implements Sink {
  readonly name = "the command";
  readonly #options: ExecSinkOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #json = new JsonFormat(null);
  #failures = 0;
  /** Why no command can be run at all. */
  #broken: Error | null = null;

  constructor(options: ExecSinkOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  async take(items: readonly Item[]): Promise<void> {
    const { jobs, output } = this.#options;
    for (const item of items) {
      if (item.kind === "gap") output.note(formatGap(item), "yellow");
      else if (item.kind === "flush") output.note(formatFlush(item), "yellow");
      else {
        const run = this.#run(item).finally(() => this.#running.delete(run));
        this.#running.add(run);
        if (this.#running.size >= jobs) await Promise.race(this.#running);
      }
      if (this.#broken !== null) throw this.#broken;
    }
  }

  async end(): Promise<boolean> {
    await Promise.all(this.#running);
    if (this.#broken !== null) throw this.#broken;
    return this.#failures === 0;
  }

  async #run(item: KeyNotification): Promise<void> {
    const { command, output } = this.#options;
    const { eventType, keyBytes } = item;
    let why: string | null;
    if (typeof command === "string" || command.takesKey) why = unfit(keyBytes);
    else why = null;
    if (why === null) {
      const [program, ...args] = typeof command === "string"
        ? shell(command, valuesOf(item))
        : command.fill(valuesOf(item));
      const [input] = this.#json.notification(item);
      why = await this.#spawn(program!, args, `${input}\n`);
    }
    if (why === null) return;
    this.#failures++;
    output.note(
      `the command failed for ${eventType} of ${excerpt(printableBytes(keyBytes))}: ${why}`,
      "red",
    );
  }

  /** Why it failed; null if it did not. */
  #spawn(program: string, args: string[], input: string): Promise<string | null> {
    const { timeout } = this.#options;
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      let isLate = false;
      const fail = (error: unknown) => {
        clearTimeout(timer);
        const { code = "" } = error as { code?: string };
        // Otherwise no later one would run either.
        if (!PASSING.has(code)) {
          this.#broken ??= new Error(`Cannot run ${program}: ${messageOf(error)}`, {
            cause: error,
          });
        }
        resolve(messageOf(error));
      };
      try {
        // In a group of its own: the Ctrl-C that ends this program is not meant for it.
        const child = spawn(program, args, {
          detached: true,
          stdio: ["pipe", "inherit", "inherit"],
        });
        child.on("error", fail);
        child.on("close", (code, signal) => {
          clearTimeout(timer);
          if (isLate) resolve("it took longer than --timeout, and was killed");
          else if (signal !== null) resolve(`it was ended by ${signal}`);
          else resolve(code === 0 ? null : `its exit status is ${code}`);
        });
        // It may not read what it is given.
        child.stdin.on("error", () => {});
        child.stdin.end(input);
        if (timeout === undefined) return;
        timer = setTimeout(() => {
          isLate = true;
          try {
            process.kill(-child.pid!, "SIGKILL");
          } catch {
            child.kill("SIGKILL");
          }
        }, timeout);
      } catch (error) {
        fail(error);
      }
    });
  }
}

/** Why a key cannot be an argument; null if it can. */
function unfit(key: Uint8Array): string | null {
  if (key.includes(0)) return "an argument cannot hold the NUL of its key; read standard input";
  return decodeStrict(key) === null
    ? "its key is not text; read keyBase64 of standard input"
    : null;
}

/** A command for a shell, in which values are variables: no key is ever a part of the script. */
function shell(script: string, values: Values): string[] {
  const assign = PLACEHOLDERS.map((name, i) => `${name}=$${i + 1}`).join(" ");
  const args = PLACEHOLDERS.map((name) => values[name]);
  return ["sh", "-c", `${assign}; shift ${args.length}\n${script}`, "keywatch", ...args];
}
