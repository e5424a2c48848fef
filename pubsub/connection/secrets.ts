import { type Reply, ServerError } from "../../resp/mod.ts";
import { CodedError } from "./errors.ts";
import { excerpt, isName, reasonOf } from "./printable.ts";
import { refusalPattern } from "./refusal.ts";

/** The most passwords remembered: a `credentials` function may return another one each time. */
const MAX_SECRETS = 16;

/** How many successive characters of a password a text must not contain. */
const PART = 4;

/** The same for host names and node ids, which share words such as `redis` with many passwords. */
const PART_OF_NAME = 8;

/** The longest excerpt of a server's error, and of an error that was thrown, in characters. */
const MAX_SERVER_TEXT = 200;
const MAX_THROWN_TEXT = 1_000;

/** How many causes of causes are copied. */
const MAX_DEPTH = 5;

const NOT_SHOWN = "(not shown, because it may repeat the password)";

/**
 * Matches the codes and words that servers are known to use. They are shown whatever the password is,
 * because what to do next depends on them.
 */
const KNOWN = /* @__PURE__ */ refusalPattern();

/** Matches what servers are known to report about themselves. */
const KNOWN_FIELD =
  /^(?:redis|valkey|keydb|dragonfly|standalone|cluster|sentinel|\d{1,3}(?:\.\d{1,3}){1,3})$/;

/**
 * The passwords of one `connect`. Makes texts that others wrote fit for messages: short, printable,
 * and without a part of a password.
 *
 * Servers repeat the arguments of unknown commands, and clip long ones. So a text is not shown if it
 * contains a part of a password, in any case, in the usual escapes, and with any marks in between.
 */
export class Secrets {
  readonly #secrets = new Set<string>();
  /** The forms of all passwords in which texts are compared with them. */
  #forms: readonly string[] = [];
  /** All successive characters of these forms, {@linkcode PART} at a time. */
  #parts: ReadonlySet<string> = new Set();

  /** Remembers a password. An empty one is ignored. */
  add(secret: string | undefined): void {
    if (!secret) return;
    const isKnown = this.#secrets.delete(secret);
    this.#secrets.add(secret);
    if (isKnown) return;
    if (this.#secrets.size > MAX_SECRETS) this.#secrets.delete([...this.#secrets][0]!);
    this.#forms = [...this.#secrets].flatMap((each) =>
      [...formsOf(each)].filter(({ length }) => length >= Math.min(PART, each.length))
    );
    this.#parts = new Set(this.#forms.flatMap((form) => partsOf(form, PART)));
  }

  /** Returns a reply unchanged, but an error with a text that messages may contain. */
  clean(reply: Reply): Reply {
    if (!(reply instanceof ServerError)) return reply;
    const { message } = reply;
    const shown = excerpt(message, MAX_SERVER_TEXT);
    if (this.repeats(message.slice(0, MAX_SERVER_TEXT).replace(KNOWN, "\n"))) {
      const known: string[] = shown.match(KNOWN) ?? [];
      // An error begins with its code.
      if (!/^[A-Z]+\b/.test(known[0] ?? "")) known.unshift("ERR");
      return new ServerError([...known, NOT_SHOWN].join(" "));
    }
    return shown === message ? reply : new ServerError(shown);
  }

  /** What a server reports about itself, for messages; null if it must not be shown. */
  field(text: string | null): string | null {
    if (text === null || KNOWN_FIELD.test(text)) return text;
    const shown = excerpt(text, MAX_SERVER_TEXT);
    return this.repeats(shown) ? null : shown;
  }

  /** Whether a host name or node id that a server announces can be used and shown. */
  allowsName(name: string): boolean {
    // The shorter parts are looked up first, because a topology has thousands of names.
    return isName(name) && (!this.repeats(name) ||
      ![...formsOf(name)].flatMap((form) => partsOf(form, PART_OF_NAME))
        .some((part) => this.#forms.some((secret) => secret.includes(part))));
  }

  /** Whether a text contains a part of a password, or all of a shorter one. */
  repeats(text: string): boolean {
    if (this.#forms.length === 0) return false;
    const short = this.#forms.filter(({ length }) => length < PART);
    return [...formsOf(text)].some((form) =>
      short.some((secret) => form.includes(secret)) ||
      partsOf(form, PART).some((part) => this.#parts.has(part))
    );
  }

  /**
   * Copies what the caller's function or the runtime has thrown, with what may be shown of it: name,
   * message, code, causes and stack. An error of this library keeps its class and its fields.
   */
  ownError(thrown: unknown, depth: number = 0): Error {
    try {
      const { name, message, stack, cause } = Object(thrown);
      const text = this.#fit(reasonOf(thrown, MAX_THROWN_TEXT));
      const hasCause = cause != null && depth < MAX_DEPTH;
      const copy = new Error(text, hasCause ? { cause: this.ownError(cause, depth + 1) } : {});
      if (thrown instanceof CodedError) {
        Object.setPrototypeOf(copy, Object.getPrototypeOf(thrown));
      }
      if (typeof name === "string" && name !== copy.name) copy.name = this.#fit(name);
      for (const field of ["code", "server", "timeout"]) {
        const value: unknown = Object(thrown)[field];
        if (typeof value === "string") Reflect.set(copy, field, this.#fit(value));
        else if (typeof value === "number" || value === null) Reflect.set(copy, field, value);
      }
      if (text === message && typeof stack === "string" && !this.repeats(stack)) copy.stack = stack;
      return copy;
    } catch {
      // A value that cannot be read is not shown.
      return new Error(NOT_SHOWN);
    }
  }

  #fit(text: string): string {
    return this.repeats(text) ? NOT_SHOWN : excerpt(text, MAX_THROWN_TEXT);
  }
}

/**
 * The forms of a text in which it is compared: in small letters, as it is or without escapes, and with
 * all marks or with only letters and digits.
 */
function formsOf(text: string): Set<string> {
  const plain = text.toLowerCase().replace(/[\s\p{Cc}]/gu, " ");
  const both = [plain, unescaped(plain)];
  return new Set(both.concat(both.map((form) => form.replace(/[^\p{L}\p{N}]/gu, ""))));
}

/** Undoes the escapes of URLs and of quoted strings. */
function unescaped(text: string): string {
  return text
    .replace(/(?:(?:%|\\x)[\da-f]{2})+/g, (bytes) => {
      const codes = bytes.match(/[\da-f]{2}/g)!.map((code) => parseInt(code, 16));
      return new TextDecoder().decode(Uint8Array.from(codes)).toLowerCase();
    })
    .replace(/\\(?:u([\da-f]{4})|(.))/g, (_, code?: string, mark?: string) => {
      if (code !== undefined) return String.fromCharCode(parseInt(code, 16)).toLowerCase();
      return /[nrt]/.test(mark!) ? " " : mark!;
    });
}

/** All successive characters of a text, `part` at a time. */
function partsOf(text: string, part: number): string[] {
  const parts: string[] = [];
  for (let i = 0; i + part <= text.length; i++) parts.push(text.slice(i, i + part));
  return parts;
}
