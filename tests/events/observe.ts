import { Decoder } from "../../resp/mod.ts";
import { KeyNotification } from "../../parse/mod.ts";
import { type Argument, type ServerBinary, startServer, within } from "../servers/mod.ts";
import { CORPUS } from "./corpus.ts";
import { utf8 } from "../parse/texts.ts";

/** What one command of the corpus did on one server. */
export interface Observation {
  /** The events in their order. */
  events: string[];
  /** What the server said if it has no such command, or not in that form. */
  unknown: string | null;
}

/** What one server did. */
export interface ServerObservations {
  /** Such as `Redis 7.0`, as the catalogue has it. */
  name: string;
  /** By the labels of the corpus. */
  commands: Map<string, Observation>;
  /** Names of the commands it has that write. */
  writeCommands: string[];
  /** What it answers to `CONFIG GET` after a `CONFIG SET` of each of these flags. */
  flags: Map<string, string | null>;
}

const MARK = "corpus";
const FLAGS = ["AKEnm", "AKEnocm", "KEnm", "KEnocm", "mEK$g", "AKESTIV", "AKEr", "AKEq"];

/** `Redis 7.0` for a binary of 7.0.15. */
export function nameOf({ product, version }: ServerBinary): string {
  const name = product.replace(/^./, (letter) => letter.toUpperCase());
  return `${name} ${version.split(".").slice(0, 2).join(".")}`;
}

function decode(part: unknown): string | null {
  return part instanceof Uint8Array ? new TextDecoder().decode(part) : null;
}

/** A connection that hears all keyevent notifications, and a mark of its own. */
class Listener implements Disposable {
  readonly heard: string[] = [];
  readonly #connection: Deno.TcpConn;
  readonly #decoder: Decoder;
  #wake = () => {};
  #marks = 0;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#decoder = new Decoder({
      reply: () => {},
      push: (items) => {
        const found = KeyNotification.fromMessage(items);
        if (found) this.heard.push(found.eventType);
        // The confirmation that the marks are subscribed to counts as the first of them.
        else if (decode(items[1]) === MARK) this.#marks++;
      },
    }, { arrayPushes: true });
    void this.#read();
  }

  static async connect(hostname: string, port: number): Promise<Listener> {
    const connection = await Deno.connect({ hostname, port });
    const listener = new Listener(connection);
    await listener.mark(() =>
      connection.write(utf8(`PSUBSCRIBE __keyevent@*__:*\r\nSUBSCRIBE ${MARK}\r\n`))
    );
    return listener;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let size; (size = await this.#connection.read(buffer)) !== null;) {
        this.#decoder.write(buffer.slice(0, size));
        this.#wake();
      }
    } catch {
      // Closed by us.
    }
  }

  /** Waits until something holds, which is looked at whenever something came. */
  until(what: string, holds: () => boolean): Promise<void> {
    return within(
      (async () => {
        while (!holds()) await new Promise<void>((resolve) => this.#wake = resolve);
      })(),
      20_000,
      what,
    );
  }

  /** Waits until all is heard that the server said before it published its next mark. */
  async mark(publish: () => Promise<unknown>): Promise<void> {
    const next = this.#marks + 1;
    await publish();
    await this.until("the mark", () => this.#marks >= next);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Runs the corpus on a server of its own. */
export async function observe(binary: ServerBinary): Promise<ServerObservations> {
  await using server = await startServer({
    binary,
    config: { "enable-debug-command": "local", databases: 4 },
  });
  using listener = await Listener.connect(server.host, server.port);
  const send = async (...commands: string[]) => {
    const results = await Promise.allSettled(
      commands.map(async (command) => {
        const words: Argument[] = [];
        for (const word of command.split(" ")) {
          const key = /^DUMP:(.*)/.exec(word)?.[1];
          words.push(key ? await server.commandBytes("DUMP", key) as Uint8Array : word);
        }
        return await server.command(...words);
      }),
    );
    return results.find((result) => result.status === "rejected")?.reason as Error | undefined;
  };
  const setFlags = async (flags: string) =>
    !await send(`CONFIG SET notify-keyspace-events ${flags}`);
  const mark = () => listener.mark(() => server.command("PUBLISH", MARK, ""));

  const flags = new Map<string, string | null>();
  for (const given of FLAGS) {
    const answer = await setFlags(given)
      ? (await server.command("CONFIG", "GET", "notify-keyspace-events") as string[])[1]!
      : null;
    flags.set(given, answer);
  }
  if (!await setFlags("AKEnocm")) await setFlags("AKEnm");

  const commands = new Map<string, Observation>();
  for (const [label, ...steps] of CORPUS) {
    await send(
      "CONFIG SET maxmemory 0",
      "DEBUG SET-ACTIVE-EXPIRE 1",
      "FLUSHALL",
    );
    const waits = steps.filter((step) => step.startsWith("~")).map((step) => step.slice(1));
    const run = steps.filter((step) => !step.startsWith("~"));
    let failed = await send(...run.slice(0, -1));
    await mark();
    listener.heard.length = 0;
    failed ??= await send(run.at(-1)!);
    if (!failed) {
      for (const event of waits) {
        await listener.until(`${event} for ${label}`, () => listener.heard.includes(event));
      }
    }
    await mark();
    commands.set(label, { events: [...listener.heard], unknown: failed?.message ?? null });
  }

  const writeCommands = await server.command("COMMAND", "LIST", "FILTERBY", "ACLCAT", "write");
  return { name: nameOf(binary), commands, writeCommands: writeCommands as string[], flags };
}
