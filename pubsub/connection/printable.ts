/** Matches controls, marks that hide or reorder text, blank fillers, separators, lone surrogates. */
export const UNPRINTABLE: RegExp =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu;

/** Escapes what could drive a terminal or forge lines of a log. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeMark);
}

/**
 * The beginning of a text, printable, for a message.
 *
 * @param most its length at most, in UTF-16 units
 */
export function excerpt(text: string, most = 200): string {
  // Built mark by mark: a slice would keep the whole text in memory.
  let shown = "";
  for (const mark of text) {
    const next = printable(mark);
    if (shown.length + next.length > most) return `${shown}…`;
    shown += next;
  }
  return shown;
}

/** The most errors that one message quotes. */
const MOST_QUOTED = 3;

/**
 * The message of an error, for another one. Of a name with several addresses, each may have failed for
 * another reason.
 *
 * @param most its length at most, in UTF-16 units
 */
export function reasonOf(error: unknown, most?: number): string {
  // Not by its class, which differs in another realm, such as that of a test runner.
  const messageOf = (one: unknown) => String(Object(one).message ?? one);
  const { errors } = Object(error);
  const each = Array.isArray(errors) ? errors.slice(0, MOST_QUOTED).map(messageOf) : [];
  return excerpt(each.join(", ") || messageOf(error), most);
}

/** The longest name: a host name of DNS has 253 characters. */
const LONGEST_NAME = 255;

/** Whether a text can be a host name or a node's id: it is short, printable and without spaces. */
export function isName(text: string): boolean {
  return text !== "" && text.length <= LONGEST_NAME && !/\s/.test(text) &&
    printable(text) === text;
}

/**
 * Joins the errors of several servers into one text.
 *
 * @param what the noun for those that are left out, such as `nodes`
 */
export function quoteEach(errors: readonly Error[], what: string): string {
  const said = [...new Set(errors.map(({ message }) => message))];
  const more = said.length - MOST_QUOTED;
  return said.slice(0, MOST_QUOTED).join("; ") + (more > 0 ? `; and ${more} more ${what}` : "");
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeMark(mark: string): string {
  const code = mark.codePointAt(0)!;
  const hex = code.toString(16);
  return SHORT_ESCAPES[mark] ?? (code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`);
}
