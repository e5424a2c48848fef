import { type Gap, type KeyNotification, matchGlob, type Status } from "../../mod.ts";
import { TopModel } from "./model.ts";
import type { TopRow, TopView } from "./view.ts";

/** How rows may be sorted, in the order in which the key goes through them. */
const SORTS = ["rate", "total", "name"] as const;

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const ESCAPE = "\x1b";
const UP = ["\x1b[A", "\x1bOA", "k"];
const DOWN = ["\x1b[B", "\x1bOB", "j"];
const INTO = ["\r", "\n", "\x1b[C", "\x1bOC"];
const OUT = [ESCAPE, "\x7f", "\b", "\x1b[D", "\x1bOD"];
const BACKSPACE = ["\x7f", "\b"];

/** What is shown, and where in it the user is. */
export interface Look {
  readonly view: TopView;
  /** Which row of the prefixes is chosen; null if none is. */
  readonly selected: number | null;
  /** The last line: what keys do, or what is typed. */
  readonly footer: string;
}

/**
 * What the user looks at: everything, or the keys below a prefix, which are counted from when it was
 * opened on. A picture may be held while counting goes on.
 */
export class Browser {
  readonly #what: string;
  /** The last is looked at; all of them count. */
  readonly #models: TopModel[];
  readonly #notes: string[] = [];
  readonly #gaps: Gap[] = [];
  #held: TopView | null = null;
  #sort: typeof SORTS[number] = "rate";
  #filter = "";
  #isTyping = false;
  #selected: number | null = null;
  /** The rows as they were shown last: what a key is about. */
  #rows: readonly TopRow[] = [];

  /**
   * @param what what is watched, for the title
   * @param start when that began, in ms since the epoch
   */
  constructor(what: string, start: number) {
    this.#what = what;
    this.#models = [new TopModel(what, start)];
  }

  get #model(): TopModel {
    return this.#models.at(-1)!;
  }

  /** Counts a notification. */
  add(notification: KeyNotification, now: number): void {
    for (const model of this.#models) model.add(notification, now);
  }

  /** Remembers a gap. */
  addGap(gap: Gap): void {
    this.#gaps.push(gap);
    for (const model of this.#models) model.addGap(gap);
  }

  /** Remembers what would have been noted otherwise. */
  addNote(text: string): void {
    this.#notes.push(text);
    for (const model of this.#models) model.addNote(text);
  }

  /** How things were: rates are the means of the whole time. */
  summary(status: Status, now: number): TopView {
    return this.#models[0]!.summary(status, now);
  }

  /**
   * What to show now.
   *
   * @param rows how many lines there are
   */
  look(status: Status, now: number, rows: number): Look {
    const current = this.#model.view(status, now, rows);
    const view = this.#held ?? current;
    const prefixes = this.#arrange(view.prefixes);
    this.#rows = prefixes;
    if (this.#selected !== null) {
      this.#selected = prefixes.length === 0 ? null : Math.min(this.#selected, prefixes.length - 1);
    }
    const missed = current.total - view.total;
    return {
      view: { ...view, events: this.#arrange(view.events), prefixes },
      selected: this.#selected,
      footer: this.#footer(missed),
    };
  }

  /**
   * Does what keys say.
   *
   * @param now when they were typed, in ms since the epoch
   * @returns whether to quit
   */
  type(keys: readonly string[], status: Status, now: number): boolean {
    for (const key of keys) {
      if (key === CTRL_C || key === CTRL_D) return true;
      if (this.#isTyping) this.#typeFilter(key);
      else if (key === "q") return true;
      else this.#press(key, status, now);
    }
    return false;
  }

  #typeFilter(key: string): void {
    if (key === "\r" || key === "\n") this.#isTyping = false;
    else if (key === ESCAPE) [this.#isTyping, this.#filter] = [false, ""];
    else if (BACKSPACE.includes(key)) this.#filter = [...this.#filter].slice(0, -1).join("");
    else if (key >= " " && !key.startsWith(ESCAPE)) this.#filter += key;
  }

  #press(key: string, status: Status, now: number): void {
    if (key === " " || key === "p") {
      this.#held = this.#held === null ? this.#model.view(status, now) : null;
    } else if (key === "s") this.#sort = SORTS[(SORTS.indexOf(this.#sort) + 1) % SORTS.length]!;
    else if (key === "/") this.#isTyping = true;
    else if (DOWN.includes(key)) this.#selected = this.#selected === null ? 0 : this.#selected + 1;
    else if (UP.includes(key)) this.#selected = Math.max(0, (this.#selected ?? 1) - 1);
    else if (INTO.includes(key)) this.#open(now);
    else if (OUT.includes(key)) this.#leave();
  }

  #open(now: number): void {
    const row = this.#selected === null ? undefined : this.#rows[this.#selected];
    if (row?.prefix === undefined) return;
    const model = new TopModel(`${row.prefix}* of ${this.#what}`, now, row.prefix);
    for (const gap of this.#gaps) model.addGap(gap);
    for (const note of this.#notes) model.addNote(note);
    this.#models.push(model);
    [this.#held, this.#selected, this.#filter] = [null, null, ""];
  }

  /** Goes back by one step: from the filter, the chosen row, or the prefix. */
  #leave(): void {
    if (this.#filter !== "") this.#filter = "";
    else if (this.#selected !== null) this.#selected = null;
    else if (this.#models.length > 1) {
      this.#models.pop();
      this.#held = null;
    }
  }

  #arrange(rows: readonly TopRow[]): readonly TopRow[] {
    const isMatch = matcherOf(this.#filter);
    const found = rows.filter(({ name }) => isMatch(name));
    // They come sorted by rate.
    if (this.#sort === "rate") return found;
    return found.sort((a, b) =>
      this.#sort === "total" ? b.total - a.total : a.name < b.name ? -1 : 1
    );
  }

  #footer(missed: number): string {
    if (this.#isTyping) return `/${this.#filter}▏  enter keeps the filter, esc clears it`;
    const held = this.#held === null ? "" : `PAUSED, ${missed} new  `;
    const filter = this.#filter === "" ? "" : `/${this.#filter}  `;
    const out = this.#models.length > 1 ? "  ← back" : "";
    const keys = `q quits  space ${this.#held === null ? "pauses" : "resumes"}  ` +
      `s sorts (${this.#sort})  / filters  ↑↓ enter opens a prefix${out}`;
    return held + filter + keys;
  }
}

/** A glob, or else a part of the name, whatever its case. */
function matcherOf(filter: string): (name: string) => boolean {
  if (/[*?[]/.test(filter)) return (name) => matchGlob(filter, name);
  const part = filter.toLowerCase();
  return (name) => name.toLowerCase().includes(part);
}

/** The keys in what a terminal sent at once: an escape sequence is one. */
export function splitKeys(typed: string): string[] {
  // deno-lint-ignore no-control-regex
  return typed.match(/\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Za-z]|[^]/gu) ?? [];
}
