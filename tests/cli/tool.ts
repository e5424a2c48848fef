/** The command line tool, run as a process of its own. */
export class Tool implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<string>;
  readonly #stderr: Promise<string>;
  #line = "";

  /** @param args after `deno task`'s own: the command and its arguments */
  constructor(...args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", "--allow-env=NO_COLOR", "cli/mod.ts", ...args],
      cwd: new URL("../..", import.meta.url),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const decode = () => new TextDecoderStream() as TransformStream<Uint8Array, string>;
    this.#stdout = this.#child.stdout.pipeThrough(decode()).getReader();
    this.#stderr = new Response(this.#child.stderr).text();
  }

  /** The next line of the results; null at their end. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#line.indexOf("\n");
      if (end !== -1) {
        const line = this.#line.slice(0, end);
        this.#line = this.#line.slice(end + 1);
        return line;
      }
      const { done, value } = await this.#stdout.read();
      if (done) return null;
      this.#line += value;
    }
  }

  /** Closes the reading end of its results, as `head` does. */
  async stopReading(): Promise<void> {
    await this.#stdout.cancel();
  }

  /** Presses Ctrl-C. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  /** Waits for its end. */
  async ended(): Promise<{ code: number; stderr: string }> {
    while (await this.line() !== null);
    const { code } = await this.#child.status;
    return { code, stderr: await this.#stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#stdout.cancel();
    await this.#stderr;
  }
}
