import { findNode } from "../../tests/runtimes/programs.ts";
import type { Workshop } from "../workshop.ts";

/** The server of the replay, in a process of its own. */
export class ReplayServer implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(workshop: Workshop): Promise<ReplayServer> {
    // In Node, whose writes go to the system without another thread between.
    const [program, ...args] = await findNode();
    const name = await workshop.bundle("load/server.ts");
    const child = new Deno.Command(program, {
      args: [...args, name],
      cwd: workshop.folder,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await output.read();
    if (value === undefined) throw new Error("The server of the replay ended without a word");
    return new ReplayServer(child, Number(value));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}
