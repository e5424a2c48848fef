/** The result of a check: right, wrong, right but worth knowing, or unknown. */
export type Level = "right" | "wrong" | "warning" | "unknown";

/** One thing that was looked at. */
export interface Finding {
  /** How it is. */
  readonly level: Level;
  /** What was looked at, in a word. */
  readonly topic: string;
  /** What was found. */
  readonly text: string;
  /** How to fix it, a line for each way or step. Commands stand behind `$ `. */
  readonly fix: readonly string[];
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
    this.all.push({ level: "right", topic, text, fix: [] });
  }

  /** It keeps notifications from coming. */
  wrong(topic: string, text: string, ...fix: string[]): void {
    this.all.push({ level: "wrong", topic, text, fix });
  }

  /** It keeps some from coming, or will. */
  warning(topic: string, text: string, ...fix: string[]): void {
    this.all.push({ level: "warning", topic, text, fix });
  }

  /** It could not be checked. */
  unknown(topic: string, text: string, ...fix: string[]): void {
    this.all.push({ level: "unknown", topic, text, fix });
  }

  /** The findings of a topic need no fix after all. */
  spareMend(topic: string): void {
    for (const [i, finding] of this.all.entries()) {
      if (finding.topic === topic) this.all[i] = { ...finding, fix: [] };
    }
  }

  /** Whether something like this was found of a topic. */
  has(level: Level, topic: string): boolean {
    return this.all.some((finding) => finding.level === level && finding.topic === topic);
  }
}
