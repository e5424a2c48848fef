/** How a thing is: as it should be, wrong, not wrong but worth knowing, or not to be told. */
export type Level = "right" | "wrong" | "warning" | "unknown";

/** One thing that was looked at. */
export interface Finding {
  /** How it is. */
  readonly level: Level;
  /** What was looked at, in a word. */
  readonly topic: string;
  /** What was found. */
  readonly text: string;
  /** What mends it, a line for each way or step. Commands stand behind `$ `. */
  readonly mend: readonly string[];
}

/** What was found on one server, or of a whole cluster. */
export interface Section {
  /** Which. */
  readonly title: string;
  /** What was found there. */
  readonly findings: readonly Finding[];
}

/** Gathers what is found on one server. */
export class Findings {
  /** What was found, in that order. */
  readonly all: Finding[] = [];

  /** It is as it should be. */
  right(topic: string, text: string): void {
    this.all.push({ level: "right", topic, text, mend: [] });
  }

  /** It keeps notifications from coming. */
  wrong(topic: string, text: string, ...mend: string[]): void {
    this.all.push({ level: "wrong", topic, text, mend });
  }

  /** It keeps some from coming, or will. */
  warning(topic: string, text: string, ...mend: string[]): void {
    this.all.push({ level: "warning", topic, text, mend });
  }

  /** It could not be told. */
  unknown(topic: string, text: string, ...mend: string[]): void {
    this.all.push({ level: "unknown", topic, text, mend });
  }

  /** What was found of a topic needs no mending after all. */
  spareMend(topic: string): void {
    for (const [i, finding] of this.all.entries()) {
      if (finding.topic === topic) this.all[i] = { ...finding, mend: [] };
    }
  }

  /** Whether something like this was found of a topic. */
  has(level: Level, topic: string): boolean {
    return this.all.some((finding) => finding.level === level && finding.topic === topic);
  }
}
