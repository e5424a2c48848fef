import process from "node:process";

const MOST_RUNS = 50;

/** The CPU time of a piece of work, in µs. */
function cost(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * How many times as much CPU time the second piece of work takes as the first, by the least of several
 * runs of each, which garbage collection and a busy machine disturb least.
 *
 * @param enough how small a factor needs no more runs
 */
export function growth(small: () => unknown, large: () => unknown, enough: number): number {
  const least = { small: Infinity, large: Infinity };
  let factor = Infinity;
  for (let run = 0; run < 3 || run < MOST_RUNS && factor >= enough; run++) {
    least.small = Math.min(least.small, cost(small));
    least.large = Math.min(least.large, cost(large));
    // What costs next to nothing cannot be compared by the steps of the clock.
    factor = least.large / Math.max(least.small, 200);
  }
  return factor;
}
