import { run } from "./run.ts";

/** A process of this machine. */
export interface ProcessEntry {
  pid: number;
  /** The process that started it, or took it over. */
  parent: number;
  /** Its process group. */
  group: number;
  /** Whether it has not ended; one that has stays listed until it was waited for. */
  runs: boolean;
  /** Its words, with spaces between them. */
  command: string;
}

/** Every process of this machine, as `/proc` has them, or `ps` where there is none. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  const lines = await procLines() ??
    (await run(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,args="])).stdout.split("\n");
  return lines.flatMap((line) => {
    const fields = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s*(.*)$/.exec(line);
    if (fields === null) return [];
    const [, pid, parent, group, state, command] = fields;
    return [{
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      runs: !state!.startsWith("Z"),
      command: command!,
    }];
  });
}

/** The lines that `ps` prints, without it: minimal systems have none. */
async function procLines(): Promise<string[] | null> {
  if (Deno.build.os !== "linux") return null;
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => name)
    .filter((name) => /^\d+$/.test(name));
  return await Promise.all(pids.map(async (pid) => {
    try {
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      // The program's name, in parentheses, may have any character.
      const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const words = (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
      return `${pid} ${parent} ${group} ${state} ${words.join(" ").replaceAll("\n", " ").trim()}`;
    } catch {
      return "";
    }
  }));
}

/** Whether a process of this id has not ended. */
export async function runs(pid: number): Promise<boolean> {
  return (await listProcesses()).some((one) => one.pid === pid && one.runs);
}

/** A child process that is read to its end and known by its id. */
export class OwnedProcess {
  readonly #child: Deno.ChildProcess;
  #ended = false;
  #output = "";
  readonly pid: number;
  /** Resolves once the process is gone and all it wrote was read. */
  readonly status: Promise<Deno.CommandStatus>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    this.status = Promise.all([
      child.status.finally(() => this.#ended = true),
      this.#read(child.stdout),
      this.#read(child.stderr),
    ]).then(([status]) => status);
  }

  static spawn(program: string, args: string[]): OwnedProcess {
    return new OwnedProcess(
      new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn(),
    );
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#output = (this.#output + decoder.decode(chunk, { stream: true })).slice(-16_384);
    }
  }

  /** The last 16 Ki characters it wrote. */
  get output(): string {
    return this.#output.trimEnd();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends a signal; nothing happens if the process is gone, whose id may be another's now. */
  kill(signal: Deno.Signal): void {
    if (this.#ended) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
    }
  }
}

// This shell notices by the end of its input that the test process is gone, for whatever reason.
const WATCH = `
pid=
while read -r word value; do
  case $word in
    pid) pid=$value ;;
    done) exit 0 ;;
  esac
done
[ -z "$pid" ] || kill -KILL "$pid"
rm -rf -- "$1"
`;

/**
 * Ends a process and removes its folder when this process goes without having done so itself,
 * even by SIGKILL.
 */
export class Watchdog {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #last: Promise<void> = Promise.resolve();

  constructor(dir: string) {
    this.#child = new Deno.Command("/bin/sh", {
      args: ["-c", WATCH, "watchdog", dir],
      cwd: "/",
      // Out of reach of the interrupt key, which goes to the whole process group, and of Deno, which
      // kills the children it still has when an uncaught error ends it.
      detached: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
  }

  #tell(line: string): void {
    this.#last = this.#input.write(new TextEncoder().encode(`${line}\n`));
    // That the shell is gone is reported at the end, by dismiss.
    this.#last.catch(() => {});
  }

  /** Takes a process, or `null` for none, in place of the one before. */
  watch(pid: number | null): void {
    this.#tell(`pid ${pid ?? ""}`);
  }

  /**
   * Ends the watch; process and folder are the caller's again.
   *
   * @throws {Error} if the shell that watched was gone already
   */
  async dismiss(): Promise<void> {
    this.#tell("done");
    try {
      await this.#last;
      await this.#input.close();
    } finally {
      await this.#child.status;
    }
  }
}
