import { type Arguments, quoted, UsageError } from "./command.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The longest time that a timer takes, in ms. */
const LONGEST = 2 ** 31 - 1;

/**
 * Reads the duration that an option says, such as `500ms`, `30s` or `1.5h`.
 *
 * @returns the ms; undefined when it was not given
 * @throws {UsageError} when it is none
 */
export function readDuration(args: Arguments, option: string): number | undefined {
  const text = args.text(option);
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS[unit ?? "ms"]!);
  if (ms >= 1 && ms <= LONGEST) return ms;
  throw new UsageError(
    `--${option} takes a duration of up to 24 days, such as 500ms, 30s, 5m or 2h, not ${
      quoted(text)
    }`,
  );
}

/**
 * Reads the number that an option says.
 *
 * @returns the number, at least 1; undefined when it was not given
 * @throws {UsageError} when it is none
 */
export function readCount(args: Arguments, option: string): number | undefined {
  const text = args.text(option);
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`--${option} takes a whole number of at least 1, not ${quoted(text)}`);
}
