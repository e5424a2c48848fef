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

  /** Starts one that sends so many messages in each round. */
  static async start(workshop: Workshop, messages: number): Promise<ReplayServer> {
    // In Node, whose writes go to the system without another thread between.
    const [program, ...args] = await findNode();
    const name = await workshop.bundle("replay/server.ts");
    const child = new Deno.Command(program, {
      args: [...args, name, String(messages)],
      cwd: workshop.folder,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    for await (const line of child.stdout.pipeThrough(new TextDecoderStream())) {
      return new ReplayServer(child, Number(line));
    }
    throw new Error("The server of the replay ended without a word");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}
