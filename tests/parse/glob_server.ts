import fc from "npm:fast-check@4.10.2";
import { matchGlob } from "../../parse/mod.ts";
import { Decoder, encodeCommand } from "../../resp/mod.ts";
import { type TestServer, within } from "../servers/mod.ts";
import { utf8 } from "./texts.ts";

const special = fc.constantFrom(...utf8("*?[]^-\\*?[]^-\\abc"));
const glob = fc.array(
  fc.oneof({ weight: 9, arbitrary: special }, { weight: 1, arbitrary: fc.nat(255) }),
  { maxLength: 10 },
).map((array) => Uint8Array.from(array));
const text = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...utf8("aabbcc*?[]^-\\")) },
    { weight: 1, arbitrary: fc.nat(255) },
  ),
  { maxLength: 5 },
).map((array) => Uint8Array.from(array));

/** Subscribed to one pattern at a time, so that `PUBLISH` answers 1 where it matches. */
class PatternClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  #confirmed = () => {};

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    void this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new Decoder({
      reply: () => {},
      push: ([kind]) => {
        if (/subscribe$/.test(new TextDecoder().decode(kind as Uint8Array))) this.#confirmed();
      },
    }, { arrayPushes: true });
    const buffer = new Uint8Array(65_536);
    try {
      for (let size; (size = await this.#connection.read(buffer)) !== null;) {
        decoder.write(buffer.slice(0, size));
      }
    } catch {
      // Closed by us.
    }
  }

  async command(name: string, pattern: Uint8Array): Promise<void> {
    const confirmed = new Promise<void>((resolve) => this.#confirmed = resolve);
    await this.#connection.write(encodeCommand([name, pattern]));
    await within(confirmed, 10_000, name);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** What came of laying patterns against channels. */
export interface GlobComparison {
  pairs: number;
  matched: number;
  /** Where the server and `matchGlob` say different things. */
  disagreements: { pattern: Uint8Array; text: Uint8Array; server: boolean }[];
}

/** Lays random patterns against random channels, by the server's pub/sub and by `matchGlob`. */
export async function compareGlobs(
  server: TestServer,
  patterns: number,
  texts: number,
): Promise<GlobComparison> {
  const result: GlobComparison = { pairs: 0, matched: 0, disagreements: [] };
  using client = new PatternClient(
    await Deno.connect({ hostname: server.host, port: server.port }),
  );
  const channels = [utf8(""), ...fc.sample(text, { numRuns: texts, seed: 1 })];
  const globs = ["*", "**", ""].map(utf8).concat(fc.sample(glob, { numRuns: patterns, seed: 2 }));
  for (const pattern of globs) {
    await client.command("PSUBSCRIBE", pattern);
    const counts = await Promise.all(
      channels.map((channel) => server.command("PUBLISH", channel, "")),
    );
    await client.command("PUNSUBSCRIBE", pattern);
    for (const [i, count] of counts.entries()) {
      const text = channels[i]!;
      result.pairs++;
      if (count) result.matched++;
      if (matchGlob(pattern, text) !== (count === 1)) {
        result.disagreements.push({ pattern, text, server: count === 1 });
      }
    }
  }
  return result;
}
