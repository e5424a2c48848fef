import { Decoder, RespMap, ServerError } from "../../../resp/mod.ts";

/** Reads what a node sends, and writes it down without what differs between two clusters. */
export class Frames {
  readonly texts: string[] = [];
  readonly #clean: (text: string) => string;
  readonly #decoder = new Decoder({
    reply: (reply) => this.#note(reply, "*"),
    push: (items) => this.#note(items, ">"),
  }, { strings: "text" });

  /** @param clean replaces ids and ports by names */
  constructor(clean: (text: string) => string) {
    this.#clean = clean;
  }

  write(chunk: Uint8Array): void {
    this.#decoder.write(chunk);
  }

  #note(reply: unknown, sign: string): void {
    if (reply instanceof RespMap) return;
    const items = Array.isArray(reply) ? reply : [reply];
    const [kind = "", ...rest] = items.map(String);
    if (/^p?subscribe$/.test(kind)) return;
    if (reply instanceof ServerError) this.texts.push(this.#clean(`-${reply.message}`));
    else if (kind === "pmessage") {
      this.texts.push(`${sign} ${rest[1]!.split("__:")[1]} ${rest[2]}`);
    } else if (kind === "pong" || kind === "PONG") this.texts.push("PONG");
    // Offsets differ.
    else if (kind === "master") this.texts.push(`master of ${(items[2] as unknown[]).length}`);
    else if (kind === "slave") {
      this.texts.push(this.#clean(`slave of ${rest.slice(0, 3).join(":")}`));
    } else if (kind.includes("@")) this.texts.push(this.#clean(ownLine(kind)));
    else if (Array.isArray(reply) && reply.every(isRow)) {
      this.texts.push(this.#clean(`moves ${reply.map(rowText).join(" and ")}`));
    } else this.texts.push(`${sign} ${[kind, ...rest].join(" ")}`);
  }
}

/** Of `CLUSTER NODES`, what a node says of itself, without its slots. */
function ownLine(nodes: string): string {
  const words = nodes.split("\n").find((line) => line.includes("myself"))!.trim().split(" ");
  return [words[2], words[3], ...words.filter((word) => word.startsWith("["))].join(" ");
}

function isRow(row: unknown): boolean {
  return row instanceof RespMap || Array.isArray(row);
}

/** A row of the list of atomic migrations: without times, and without details of how one ended. */
function rowText(row: unknown): string {
  const entries: [unknown, unknown][] = row instanceof RespMap ? [...row] : Array.from(
    { length: (row as unknown[]).length / 2 },
    (_, n) => [(row as unknown[])[2 * n], (row as unknown[])[2 * n + 1]],
  );
  return entries.map(([name, value]) => {
    const text = String(value);
    if (/^(?:id|name)$/.test(String(name))) return `${name}=${text.length} digits`;
    if (/_time$|_ms$/.test(String(name))) return `${name}=${text === "-1" ? text : "time"}`;
    return `${name}=${/^(?:message|last_error)$/.test(String(name)) ? text.slice(0, 20) : text}`;
  }).join(",");
}

/** Replaces the ids and ports of nodes by their names. */
export function cleaner(
  nodes: readonly (readonly [name: string, port: number, id: string])[],
): (text: string) => string {
  return (text) =>
    nodes.reduce(
      (cleaned, [name, port, id]) =>
        cleaned.replaceAll(id, name).replaceAll(`:${port}`, `:${name}`),
      text,
    );
}
