import process from "node:process";

const MOST_RUNS = 50;

/** The CPU time of a piece of work, in µs. */
function cost(work: () => unknown, times: number): number {
  const before = process.cpuUsage();
  for (let n = 0; n < times; n++) work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * How many times as much CPU time the second piece of work takes as the first, which does a quarter of
 * it: by the least of several runs, which a busy machine disturbs least. The first is done four times
 * in a run, so that both leave as much to the garbage collection.
 *
 * @param enough at which factor the runs end
 */
export function growth(quarter: () => unknown, whole: () => unknown, enough: number): number {
  const least = { quarter: Infinity, whole: Infinity };
  let factor = Infinity;
  for (let run = 0; run < 3 || run < MOST_RUNS && factor >= enough; run++) {
    least.quarter = Math.min(least.quarter, cost(quarter, 4) / 4);
    least.whole = Math.min(least.whole, cost(whole, 1));
    // What costs next to nothing cannot be compared by the steps of the clock.
    factor = least.whole / Math.max(least.quarter, 200);
  }
  return factor;
}
