import { backoff, STEADY_MS } from "../../pubsub/retries.ts";
import { TIMER_SLACK_MS } from "../../pubsub/connection/timers.ts";
import { sleep, until } from "../servers/mod.ts";
import type { Fault } from "./faults.ts";
import { type Happening, judge, type Ledger, type Report, type Write } from "./ledger.ts";
import { Random } from "../random.ts";
import { RECOVERY, type Stage } from "./stage.ts";

/** What a run came to. */
export interface Outcome {
  readonly report: Report;
  /** How often each fault was injected, by name. */
  readonly faults: Readonly<Record<string, number>>;
  /** Whether nothing could run for a while in each gap of a server that was silent. */
  readonly isExcused: boolean;
  /** Why the run did not come to its end; null if it did. */
  readonly failure: string | null;
  /** What should not be, for a reader; empty if all is well. */
  readonly problems: readonly string[];
}

/**
 * Lets one fault happen, each time after the watcher has reconnect.
 *
 * @param durations how long it lasts each time; if left out, as shortly and as long as it may
 */
export function playAlone<On extends Stage>(
  stage: On,
  fault: Fault<On>,
  random: Random,
  durations?: readonly number[],
): Promise<Outcome> {
  const [least, most] = fault.lasts;
  const usual = least === most ? [most, most, most] : [least, most];
  return play(stage, async (director) => {
    for (const ms of durations ?? usual) {
      await director.injectUntilSeen(fault, ms);
      if (fault.aftermath) {
        await fault.aftermath(stage);
        await director.recovery();
      }
      await sleep(random.between(0, 300));
    }
  });
}

/**
 * Lets faults happen as the random numbers want it, for so many seconds: one after another in each
 * part of the set-up, and the parts at the same time.
 */
export function playMixed<On extends Stage>(
  stage: On,
  faults: readonly Fault<On>[],
  random: Random,
  seconds: number,
): Promise<Outcome> {
  return play(stage, async (director) => {
    const deadline = performance.now() + seconds * 1000;
    const parts = [...Map.groupBy(faults, ({ part }) => part).values()];
    const plays = parts.map((part) => ({ part, random: new Random(random.between(0, 2 ** 31)) }));
    await Promise.all(plays.map(async ({ part, random }) => {
      for (;;) {
        await sleep(random.between(0, 2000));
        // Mostly the watcher is back before the next fault.
        if (random.next() < 0.8) await director.recovery();
        if (performance.now() >= deadline) return;
        const fault = random.pick(part);
        await director.inject(fault, random.between(...fault.lasts));
      }
    }));
    await director.recovery();
  });
}

/** Runs a script and judges what came of it. */
async function play<On extends Stage>(
  stage: On,
  script: (director: Director<On>) => Promise<void>,
): Promise<Outcome> {
  const { book, writer, watcher, delay } = stage;
  const director = new Director(stage);
  let failure: string | null = null;
  const ledger = (): Ledger => ({
    writes: book.writes,
    seen: watcher.seen,
    happenings: director.happenings,
    stolen: (from, to) => delay.stolen(from, to),
  });
  try {
    await director.recovery();
    await script(director);
    await writer.stop();
    const last = book.writes.findLast(({ answeredAt, refused }) => answeredAt !== null && !refused);
    const isTold = ({ sentAt, answeredAt }: Write) =>
      watcher.seen.some((item) =>
        item.kind === "gap" && item.gap.from <= answeredAt! && sentAt <= item.gap.to
      );
    // On a busy machine a peer that is too late may cost another gap, and that write with it.
    await until("the last write comes, or lies in a gap", () => {
      return last === undefined || watcher.highest >= last.number || isTold(last);
    });
    // Those of other servers may be under way.
    await until("all have come", () => judge(ledger()).lostInSilence.length === 0).catch(() => {});
  } catch (error) {
    failure = `${error} (${watcher.status})`;
    await writer.stop();
  }
  const report = judge(ledger());
  const problems = [
    ...(failure === null ? [] : [failure]),
    ...(watcher.failure ? [`the watcher gave up: ${watcher.failure}`] : []),
    ...watcher.disagreements,
    ...describe(report, ledger()),
  ];
  const isExcused = watcher.seen.every((item) =>
    item.kind !== "gap" || item.gap.reason !== "unresponsive" ||
    delay.stolen(item.gap.from, item.gap.to) > TIMER_SLACK_MS
  );
  return { report, faults: director.count, isExcused, failure, problems };
}

/** Injects faults and keeps book of them. */
class Director<On extends Stage> {
  readonly happenings: Happening[] = [];
  readonly count: Record<string, number> = {};
  readonly #stage: On;

  constructor(stage: On) {
    this.#stage = stage;
  }

  /** Resolves once the fault is over. */
  async inject(fault: Fault<On>, ms: number): Promise<void> {
    this.count[fault.name] = (this.count[fault.name] ?? 0) + 1;
    const begin = Date.now();
    // A connection that is lost soon after it was made again is followed by a pause, too.
    const isPaced = this.happenings.some(({ end, after }) => begin < end + after + STEADY_MS);
    const longest = isPaced ? backoff(this.happenings.length, 1) : 0;
    await fault.begin(this.#stage, ms);
    await sleep(ms);
    await fault.end(this.#stage);
    const { before, after, pause, silence } = RECOVERY;
    const slots = fault.slots?.(this.#stage);
    this.happenings.push({
      name: fault.name,
      ...(slots ? { slots } : {}),
      ...(fault.early ? { early: fault.early } : {}),
      begin,
      end: Date.now(),
      before: before + (fault.early ?? 0),
      after: after + (fault.reachable ? longest : pause) + (fault.silent ? silence : 0),
    });
  }

  /**
   * Injects a fault, and resolves once the watcher has reconnect.
   *
   * Where it lasts longest and has to leave a gap, it is injected again if it left none and the
   * processes could not run all the while: a timer that is late gives a silent peer more time.
   */
  async injectUntilSeen(fault: Fault<On>, ms: number): Promise<void> {
    const { watcher, delay } = this.#stage;
    const mustLeave = fault.silent && fault.leaves !== null && ms === fault.lasts[1];
    for (let chances = 3; chances > 0; chances--) {
      const { length } = watcher.seen;
      const begin = Date.now();
      await this.inject(fault, ms);
      await this.recovery();
      const isSeen = watcher.seen.slice(length).some(({ kind }) => kind === "gap");
      if (!mustLeave || isSeen || delay.stolen(begin, Date.now()) <= TIMER_SLACK_MS) return;
    }
  }

  /** Resolves once something comes that was written after this call, and nothing is amiss. */
  async recovery(): Promise<void> {
    const { watcher, book } = this.#stage;
    const { length } = book.writes;
    await until("the watcher is back", () => {
      if (watcher.failure) throw watcher.failure;
      return watcher.highest > length && watcher.isReady;
    });
  }
}

/** What is wrong, for a reader: the first few of each kind, and what happened at that time. */
function describe(report: Report, ledger: Ledger): string[] {
  const origin = ledger.writes[0]?.sentAt ?? 0;
  const span = (from: number, to: number | null) =>
    `${from - origin}-${to === null ? "?" : to - origin}`;
  const times: number[] = [];
  const list = <T>(what: string, items: readonly T[], print: (item: T) => string) =>
    items.length === 0
      ? []
      : [`${items.length} ${what}: ${items.slice(0, 5).map(print).join(", ")}`];
  const found = [
    ...list("lost in silence", report.lostInSilence, ({ number, sentAt, answeredAt }) => {
      times.push(sentAt);
      return `${number} (${span(sentAt, answeredAt)})`;
    }),
    ...list("duplicated", report.duplicated, String),
    ...list("out of order", report.outOfOrder, String),
    ...list("unexpected", report.unexpected, String),
    ...list("gaps not honest", report.gapsNotHonest, ({ gap: { reason, from, to }, why }) => {
      times.push(from, to);
      return `${reason} ${span(from, to)}: ${why}`;
    }),
  ];
  if (found.length === 0) return [];
  const near = (from: number, to: number) =>
    times.length === 0 || times.some((time) => from - 3000 < time && time < to + 3000);
  return [
    ...found,
    "near that, in ms from the first write:",
    ...ledger.happenings.filter(({ begin, end }) => near(begin, end))
      .map(({ name, begin, end }) => `  ${span(begin, end)} ${name}`),
    ...ledger.seen.flatMap((item) => item.kind === "gap" ? [item] : [])
      .filter(({ gap: { from, to } }) => near(from, to))
      .map(({ gap: { reason, from, to }, at }) =>
        `  ${span(from, to)} gap: ${reason}, reported at ${at - origin}`
      ),
  ];
}
