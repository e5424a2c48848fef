import { fileURLToPath } from "node:url";
import { shellWord } from "../../cli/doctor/fixes.ts";
import { within } from "../servers/mod.ts";
import { Cli, LIMIT } from "./cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The CLI from its source, with the rights that the README gives it. */
const FROM_SOURCE = [Deno.execPath(), "run", "--no-prompt", "--allow-net", "cli/mod.ts"];

/** As that, but it may read files, and the environment variables that it knows. */
export const TRUSTED: readonly string[] = [
  ...[Deno.execPath(), "run", "--no-prompt", "--allow-net", "--allow-read"],
  ...["--allow-env=REDIS_URL,REDIS_USERNAME,REDIS_PASSWORD", "cli/mod.ts"],
];

/** What a {@linkcode Tool} is run with. */
export interface ToolOptions {
  /** The words before the arguments of the CLI. */
  readonly program?: readonly string[];
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** The command line tool, run as a process of its own. */
export class Tool extends Cli {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #noted: Promise<void>;

  private constructor(command: readonly string[], { cwd = ROOT, env = {} }: ToolOptions) {
    super();
    const [program, ...args] = command;
    this.#child = new Deno.Command(program!, {
      args,
      cwd,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdout = textOf(this.#child.stdout).getReader();
    this.#noted = this.#collectNotes(textOf(this.#child.stderr));
  }

  /** Runs it with these arguments, its output going into pipes. */
  static run(args: readonly string[], options: ToolOptions = {}): Tool {
    return new Tool([...options.program ?? FROM_SOURCE, ...args], options);
  }

  /** Runs it on a pseudo terminal, where results and notes come mixed, as one sees them. */
  static runOnTerminal(args: readonly string[], options: ToolOptions = {}): Tool {
    const command = [...options.program ?? FROM_SOURCE, ...args];
    // The two programs of that name: that of Linux, and that of the BSDs. The first runs a shell,
    // which Ctrl-C would interrupt as well if it stayed: then its status is 130, not that of the CLI.
    const script = Deno.build.os === "linux"
      ? ["script", "-qec", `exec ${command.map(shellWord).join(" ")}`, "/dev/null"]
      : ["script", "-q", "/dev/null", ...command];
    return new Tool(script, options);
  }

  async #collectNotes(stream: ReadableStream<string>): Promise<void> {
    for await (const text of stream) this.addNotes(text);
  }

  protected override async more(): Promise<string | null> {
    const { done, value } = await within(this.#stdout.read(), LIMIT, "the wait for a line");
    return done ? null : value;
  }

  /** Closes the reading end of its results, as `head` does. */
  async stopReading(): Promise<void> {
    await this.#stdout.cancel();
  }

  /** Types on its terminal, or into its standard input. */
  async type(keys: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(keys));
  }

  /** Ends its standard input. */
  async typeEnd(): Promise<void> {
    await this.#stdin.close();
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until the process is gone, whether or not somebody reads its results. */
  override async exited(): Promise<number> {
    return (await within(this.#child.status, LIMIT, "the wait for its end")).code;
  }

  protected override allNoted(): Promise<void> {
    return this.#noted;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#stdin.close().catch(() => {});
    await this.#stdout.cancel();
    await this.#noted;
  }
}

function textOf(stream: ReadableStream<Uint8Array>): ReadableStream<string> {
  return stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
}
