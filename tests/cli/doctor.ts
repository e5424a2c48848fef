/** Runs the doctor, and does what it says. */
import { assertEquals } from "@std/assert";
import type { TestServer } from "../servers/mod.ts";
import { run } from "../servers/run.ts";
import { InProcess } from "./in_process.ts";

/** What it prints, lines that were wrapped being one again, and its status. */
export async function doctor(...args: string[]): Promise<{ code: number; text: string }> {
  await using tool = InProcess.run(["doctor", ...args]);
  const text = unwrap(await tool.rest());
  const { code, stderr } = await tool.ended();
  assertEquals(stderr, "");
  return { code, text };
}

function unwrap(text: string): string {
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    const isWrapped = /^ {16}\S|^ {6}[^$ ]/.test(line);
    const goesOn = isWrapped && !/^ +\$/.test(lines.at(-1) ?? "$");
    if (goesOn) lines.push(`${lines.pop()} ${line.trimStart()}`);
    else lines.push(line);
  }
  return lines.join("\n");
}

/** The commands it says to run. */
export function commandsIn(text: string): string[] {
  return [...text.matchAll(/^ +\$ (redis-cli .*)$/gm)].map(([, command]) => command!);
}

/** Runs a command as it was printed. */
export async function obey(command: string): Promise<void> {
  const { code, output } = await run(["sh", "-c", command]);
  assertEquals([code, output.trim()], [0, "OK"], command);
}

/** Runs doctor and its suggestions, until there is nothing left to do. */
export async function obeyAll(server: TestServer, ...args: string[]): Promise<string[]> {
  const texts: string[] = [];
  for (let i = 0; i < 8; i++) {
    const { text } = await doctor("--url", server.url, ...args);
    texts.push(text);
    const commands = commandsIn(text);
    if (commands.length === 0) return texts;
    for (const command of commands) await obey(command.replace(" --askpass", ""));
  }
  throw new Error(`What it says does not help:\n${texts.join("\n")}`);
}
