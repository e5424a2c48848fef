/** Says when something was, for people. */
export interface Clock {
  /** A time as text; all texts of a clock are of one width. */
  format(timestamp: number): string;
}

/** The local time of day, to the millisecond. */
export const timeOfDay: Clock = {
  format(timestamp) {
    const time = new Date(timestamp);
    const ms = (((time.getHours() * 60) + time.getMinutes()) * 60 + time.getSeconds()) * 1000;
    return formatClock(ms + time.getMilliseconds());
  },
};

/** The time since a start, to the millisecond; before it there is a minus. */
export class Stopwatch implements Clock {
  /** When it began to count, in ms since the epoch. */
  start: number = Date.now();

  format(timestamp: number): string {
    const ms = timestamp - this.start;
    return `${ms < 0 ? "-" : "+"}${formatClock(Math.abs(ms))}`;
  }
}

function formatClock(ms: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${parts.map(two).join(":")}.${String(ms % 1000).padStart(3, "0")}`;
}
