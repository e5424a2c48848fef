import { type Reply, ServerError } from "../../resp/mod.ts";
import { CodedError } from "./errors.ts";
import { excerpt, isName } from "./printable.ts";

/** The most passwords remembered: a `credentials` function may return another one each time. */
const MOST_SECRETS = 16;

/** How many successive characters of a password a server's text must not contain. */
const PART = 4;

/** The same for host names and node ids, which share words such as `redis` with many passwords. */
const PART_OF_NAME = 8;

/** The longest message of an error that this library did not make, in characters. */
const LONGEST_OWN = 1_000;

/** Such an error is not kept if it refers to more objects than this. */
const MOST_PARTS = 1_000;

const NOT_SHOWN = "(not shown, because it may repeat the password)";

/** Matches the names of commands that Keywatch sends, as servers quote them. */
const COMMAND =
  "'?`?\"?(?:hello|auth|client|config|info|role|select|p?subscribe|cluster|sentinel)" +
  "(?:\\|[a-z]+)?'?`?\"?";

/**
 * Matches wording that servers are known to use. It is kept whatever the password is, because what
 * to do next depends on it.
 */
const WORDING = /* @__PURE__ */ new RegExp(
  /* @__PURE__ */ [
    "^(?:ERR|WRONGPASS|NOAUTH|NOPERM|NOPROTO|DENIED|LOADING|BUSY|MOVED|CLUSTERDOWN)\\b",
    `unknown (?:sub)?command(?: ${COMMAND})?`,
    `wrong number of arguments(?: for ${COMMAND}(?: command)?)?`,
    "invalid username-password pair(?: or user is disabled)?",
    "(?:invalid|wrong) (?:username|password)",
    "auth(?:entication)? fail(?:ed|ure)?",
    "AUTH <password> called without any password configured for the default user",
    "Client sent AUTH, but no password is set",
    "Authentication required",
    "(?:unsupported|invalid) protocol version",
    `has no permissions to (?:run the(?: ${COMMAND} command)?|access one of the channels)`,
    "max(?:imum)? number of clients(?: reached)?",
    "too many (?:clients|connections)",
    "(?:Redis|Valkey) is (?:loading the dataset in memory|running in protected mode)",
    "DB index is out of range",
    "SELECT is not allowed in cluster mode",
  ].join("|"),
  "gi",
);

/** Matches what servers are known to report about themselves. */
const KNOWN_FIELD =
  /^(?:redis|valkey|keydb|dragonfly|standalone|cluster|sentinel|\d{1,3}(?:\.\d{1,3}){1,3})$/;

/**
 * The passwords of one `connect`. Clips and escapes texts that others wrote, and removes these
 * passwords from them.
 *
 * Servers repeat the arguments of unknown commands, and clip long ones. So a server's text is withheld
 * if it contains a part of a password, in any case and with any marks in between.
 */
export class Secrets {
  readonly #known = new Set<string>();
  /** The parts of all passwords, by the length of a part. */
  readonly #parts = new Map<number, ReadonlySet<string>>();
  /** The last short error and its cleaned text, because many errors are alike. */
  #last: { readonly text: string; readonly shown: string } | null = null;

  /** Remembers a password. An empty one is ignored. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret === "") return;
    this.#known.delete(secret);
    this.#known.add(secret);
    if (this.#known.size > MOST_SECRETS) this.#known.delete([...this.#known][0]!);
    this.#parts.clear();
    this.#last = null;
  }

  /** Returns a reply unchanged, but an error with a text that messages may contain. */
  clean(reply: Reply): Reply {
    if (!(reply instanceof ServerError)) return reply;
    const { message: text } = reply;
    if (this.#last?.text === text) return new ServerError(this.#last.shown);
    const shown = this.#serverText(text);
    this.#last = text.length > LONGEST_OWN ? null : { text, shown };
    return new ServerError(shown);
  }

  /** What a server reports about itself, for messages; null if it must not be shown. */
  field(text: string | null): string | null {
    if (text === null || KNOWN_FIELD.test(text)) return text;
    const shown = excerpt(text);
    const repeats = this.repeats(shown) || [...this.#known].some((secret) => secret === text);
    return repeats ? null : shown;
  }

  /** Whether a host name or node id that a server announces can be used and shown. */
  allowsName(name: string): boolean {
    return isName(name) && !this.repeats(name, PART_OF_NAME);
  }

  /** Whether a text contains this many successive characters of a password. */
  repeats(text: string, part: number = PART): boolean {
    if (this.#known.size === 0) return false;
    const parts = this.#parts.get(part) ??
      new Set([...this.#known].flatMap((secret) => [...partsOf(secret, part)]));
    this.#parts.set(part, parts);
    for (const each of partsOf(text, part)) if (parts.has(each)) return true;
    return false;
  }

  /** Replaces each whole password in the text of an error that a server did not send. */
  ownText(text: string): string {
    let shown = text;
    for (const secret of this.#known) {
      for (const form of formsOf(secret)) {
        shown = secret.length < PART
          ? shown.replace(wordOf(form), "***")
          : shown.replaceAll(form, "***");
      }
    }
    return shown;
  }

  /**
   * Makes a cause of what the caller's function or the runtime has thrown: the same object, or a
   * copy if a text of it, or of anything that it refers to, contains a password or a control
   * character, or is too long.
   */
  ownError(error: unknown, seen: Set<unknown> = new Set()): unknown {
    if (typeof error === "string") return this.#fit(error);
    // Causes may form a circle.
    if (seen.has(error)) return undefined;
    if (this.#areFit(error, new Set())) return error;
    if (!(error instanceof Error)) return NOT_SHOWN;
    seen.add(error);
    const { name, message, cause } = error;
    const inner = this.ownError(cause, seen);
    const copy = alike(error, this.#fit(message), inner === undefined ? {} : { cause: inner });
    if (copy instanceof AggregateError) {
      const each: unknown[] = (error as AggregateError).errors;
      copy.errors = each.map((one) => this.ownError(one, seen));
    }
    if (copy.name !== name) copy.name = this.#fit(name);
    for (const field of ["code", "server", "timeout"]) {
      const value: unknown = Reflect.get(error, field);
      if (typeof value === "string") Reflect.set(copy, field, this.#fit(value));
      else if (typeof value === "number" || value === null) Reflect.set(copy, field, value);
    }
    return copy;
  }

  /** Checks every text that a log may show of a value, as `util.inspect` does. */
  #areFit(value: unknown, seen: Set<unknown>): boolean {
    if (typeof value === "string") return this.#fit(value) === value;
    const isObject = typeof value === "object" && value !== null;
    if (!isObject && typeof value !== "function" || seen.has(value)) return true;
    if (seen.add(value).size > MOST_PARTS) return false;
    try {
      if (ArrayBuffer.isView(value)) {
        const text = new TextDecoder().decode(value);
        return this.ownText(text) === text;
      }
      // Some texts are not properties of its own, such as the message of a DOMException.
      const hasText = isObject && typeof value.toString === "function";
      if (hasText && !this.#areFit(String(value), seen)) return false;
      if (value instanceof Map || value instanceof Set) {
        for (const part of value) if (!this.#areFit(part, seen)) return false;
      }
      return Reflect.ownKeys(value).every((key) => {
        const part: unknown = Reflect.get(value, key);
        // A stack has many lines.
        if (key === "stack" && typeof part === "string") return this.ownText(part) === part;
        const name = typeof key === "string" ? key : key.description ?? "";
        return this.#areFit(name, seen) && this.#areFit(part, seen);
      });
    } catch {
      // A value that cannot be read is not kept.
      return false;
    }
  }

  #fit(text: string): string {
    return excerpt(this.ownText(text), LONGEST_OWN);
  }

  #serverText(text: string): string {
    // These arguments were sent by this library, and may contain a password.
    const head = text.slice(0, 2 * LONGEST_OWN);
    const repeated = head.search(/\bwith args\b/i);
    const shown = excerpt(
      repeated < 0 ? head : head.slice(0, repeated).trimEnd().replace(/[,;:]$/, ""),
    );
    const rest = shown.replace(WORDING, "\0");
    if (!this.repeats(rest) && ![...this.#known].some((secret) => isWordIn(rest, secret))) {
      return shown;
    }
    const known = [...shown.matchAll(WORDING)].map(([words]) => words);
    // An error begins with its code.
    if (!/^[A-Z]+$/.test(known[0] ?? "")) known.unshift("ERR");
    return [...known, NOT_SHOWN].join(" ");
  }
}

/** Copies an error with another message. The class stays the same if it is one of this library. */
function alike(error: Error, message: string, options: ErrorOptions): Error {
  if (error instanceof AggregateError) return new AggregateError([], message, options);
  const copy = new Error(message, options);
  return error instanceof CodedError
    ? Object.setPrototypeOf(copy, Object.getPrototypeOf(error))
    : copy;
}

/** Folds the case and white space. */
function foldCase(text: string): string {
  return text.toLowerCase().replace(/[\s\p{Cc}]/gu, " ");
}

/** Folds the case, the escapes of quoted strings, and white space. */
function fold(text: string): string {
  return foldCase(text.replace(/\\(.)/gs, "$1"));
}

/**
 * All successive characters of a text or secret, `part` at a time, in each form in which they are
 * compared: a backslash is an escape, or itself, and marks count, or only letters and digits do.
 */
function* partsOf(text: string, part: number): Iterable<string> {
  const folded = fold(text);
  for (const form of [foldCase(text), folded, folded.replace(/[^\p{L}\p{N}]/gu, "")]) {
    for (let i = 0; i + part <= form.length; i++) yield form.slice(i, i + part);
  }
}

/** Whether a text contains a secret that is too short to have parts, as a word of its own. */
function isWordIn(text: string, secret: string): boolean {
  const word = fold(secret);
  return word.length < PART && wordOf(word).test(fold(text));
}

function wordOf(text: string): RegExp {
  const plain = text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}])${plain}(?![\\p{L}\\p{N}])`, "gu");
}

/** A secret in plain text, in JSON, and in a URL with and without the marks `!'()*` encoded. */
function formsOf(secret: string): Set<string> {
  // A half of a surrogate pair cannot stand in a URL.
  const encoded = encodeURIComponent(secret.replace(/\p{Cs}/gu, "\ufffd"));
  const strictly = encoded.replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return new Set([secret, JSON.stringify(secret).slice(1, -1), encoded, strictly]);
}
