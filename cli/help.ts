import { type Command, COMMON_OPTIONS, type Option, type Options } from "./command.ts";
import { wrap } from "./wrap.ts";

/** How wide the column of the options is at most, and which share of the width. */
const WIDEST = 20;
const LARGEST_SHARE = 1 / 4;

/**
 * The `--help` of a command.
 *
 * @param width how wide it is laid out, in characters
 */
export function helpOf({ usage, about, groups, examples }: Command, width: number): string {
  const lines = [...hanging("Usage: keywatch ", usage, width), ""];
  for (const paragraph of about) lines.push(...prose(paragraph, width), "");
  for (const { title, text, options } of groups) {
    lines.push(`${title}:`);
    if (text !== undefined) lines.push(...wrap(text, "  ", width));
    lines.push(...optionLines(options, width), "");
  }
  lines.push("Other options:", ...optionLines(COMMON_OPTIONS, width), "");
  lines.push("Examples:", ...examples.map((example) => `  ${example}`));
  return lines.join("\n");
}

/** A paragraph. A line that begins with a space is shown as it is. */
export function prose(text: string, width: number): string[] {
  return text.startsWith(" ") ? text.split("\n") : wrap(text, "", width);
}

/** Text behind a head, with its later lines below the first. */
export function hanging(head: string, text: string, width: number): string[] {
  const [first, ...rest] = wrap(text, " ".repeat(head.length), width);
  return [head + first!.trimStart(), ...rest];
}

function optionLines(options: Options, width: number): string[] {
  const entries = Object.entries(options);
  const longest = Math.max(...entries.map(([name, option]) => titleOf(name, option).length));
  const column = Math.min(WIDEST, Math.floor(width * LARGEST_SHARE), longest) + 4;
  return entries.flatMap(([name, option]) => {
    const title = `  ${titleOf(name, option)}`;
    if (title.length + 2 <= column) return hanging(title.padEnd(column), option.help, width);
    return [title, ...wrap(option.help, " ".repeat(column), width)];
  });
}

function titleOf(name: string, { short, value }: Option): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${value ? ` ${value}` : ""}`;
}
