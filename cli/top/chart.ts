const EIGHTHS = " ▁▂▃▄▅▆▇█";
const LEFT_EIGHTHS = " ▏▎▍▌▋▊▉█";

/**
 * A chart of numbers as columns, one character wide.
 *
 * @param values the numbers, from left to right
 * @param height how many lines it has
 * @param most the number that is as high as the chart
 * @returns the lines, the highest first
 */
export function columnChart(values: readonly number[], height: number, most: number): string[] {
  const levels = values.map((value) => {
    const eighths = most > 0 ? Math.round(value / most * height * 8) : 0;
    // Something is never shown as nothing.
    return Math.min(height * 8, Math.max(value > 0 ? 1 : 0, eighths));
  });
  return Array.from({ length: height }, (_, line) => {
    const floor = (height - 1 - line) * 8;
    return levels.map((level) => EIGHTHS[Math.min(8, Math.max(0, level - floor))]).join("");
  });
}

/** A bar from the left, so many characters wide where the value is the most. */
export function bar(value: number, most: number, width: number): string {
  const eighths = most > 0 ? Math.min(width * 8, Math.round(value / most * width * 8)) : 0;
  const shown = value > 0 ? Math.max(1, eighths) : eighths;
  return "█".repeat(Math.floor(shown / 8)) + (shown % 8 === 0 ? "" : LEFT_EIGHTHS[shown % 8]);
}
