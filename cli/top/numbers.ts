/** A number in at most six characters: `12`, `1,234`, `99,999`, `1.2M`. */
export function formatCount(count: number): string {
  const whole = Math.round(count);
  if (whole < 100_000) return String(whole).replace(/\B(?=(?:\d{3})+$)/g, ",");
  const [unit, size] = whole < 1e6
    ? ["k", 1e3]
    : whole < 1e9
    ? ["M", 1e6]
    : whole < 1e12
    ? ["G", 1e9]
    : ["T", 1e12];
  const scaled = whole / (size as number);
  return `${scaled < 100 ? scaled.toFixed(1) : Math.floor(scaled)}${unit}`;
}

/** A rate, of small ones a decimal too. */
export function formatRate(rate: number): string {
  return rate > 0 && rate < 9.95 ? rate.toFixed(1) : formatCount(rate);
}

/** How long something lasted, short: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}
