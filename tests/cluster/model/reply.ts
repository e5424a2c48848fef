/** What a server answers, before it is written in one of the protocols. */
export type Answer =
  | string
  | number
  | null
  | readonly Answer[]
  | Status
  | Failure
  | Verbatim
  | Fields
  | Push;

/** A simple string, such as `OK`. */
export class Status {
  constructor(readonly text: string) {}
}

/** An error. */
export class Failure {
  constructor(readonly text: string) {}
}

/** A text for people: a verbatim string in RESP3, a bulk string in RESP2. */
export class Verbatim {
  constructor(readonly text: string) {}
}

/** Names and values: a map in RESP3, a flat array in RESP2. */
export class Fields {
  constructor(readonly entries: readonly (readonly [name: Answer, value: Answer])[]) {}
}

/** Something that the server sends unasked, or a confirmation: a push in RESP3, an array in RESP2. */
export class Push {
  constructor(readonly items: readonly Answer[]) {}
}

const utf8 = new TextEncoder();

/** Encodes an answer. */
export function encodeAnswer(answer: Answer, protocol: 2 | 3): Uint8Array {
  return utf8.encode(text(answer, protocol));
}

function text(answer: Answer, protocol: 2 | 3): string {
  if (answer === null) return protocol === 3 ? "_\r\n" : "$-1\r\n";
  if (typeof answer === "string") return `$${utf8.encode(answer).length}\r\n${answer}\r\n`;
  if (typeof answer === "number") return `:${answer}\r\n`;
  if (answer instanceof Status) return `+${answer.text}\r\n`;
  if (answer instanceof Verbatim) {
    if (protocol === 2) return text(answer.text, protocol);
    return `=${utf8.encode(answer.text).length + 4}\r\ntxt:${answer.text}\r\n`;
  }
  if (answer instanceof Failure) return `-${answer.text}\r\n`;
  if (answer instanceof Fields) {
    const { entries } = answer;
    const count = protocol === 3 ? `%${entries.length}` : `*${entries.length * 2}`;
    return `${count}\r\n${entries.flat().map((item) => text(item, protocol)).join("")}`;
  }
  const [sign, items] = answer instanceof Push
    ? [protocol === 3 ? ">" : "*", answer.items]
    : ["*", answer];
  return `${sign}${items.length}\r\n${items.map((item) => text(item, protocol)).join("")}`;
}
