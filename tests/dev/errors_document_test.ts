import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { ROOT, sourceFiles } from "../../dev/project.ts";
import { isPublished } from "../../dev/layers.ts";

/** Matches where the codes of a class are declared. */
const UNION = /^export type \w+ErrorCode =[^;]*;|\bextends CodedError<[^>]*>/gm;
const SINGLE = /^ {2}readonly code = "[A-Z_]+";/gm;

/** The modules that users get, without comments. */
async function sources(): Promise<string[]> {
  const files = (await sourceFiles()).filter((file) => file.endsWith(".ts") && isPublished(file));
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(join(ROOT, file))));
  return texts.map((text) => text.replace(/^\s*\/\*\*.*?\*\/$|^\s*\/\/[^\n]*$/gms, ""));
}

function quotedCodes(text: string): string[] {
  return [...text.matchAll(/"([A-Z][A-Z\d_]+)"/g)].map(([, code]) => code!);
}

async function declaredCodes(): Promise<Set<string>> {
  const declarations = (await sources()).flatMap((
    text,
  ) => [...text.match(UNION) ?? [], ...text.match(SINGLE) ?? []]);
  return new Set(declarations.flatMap(quotedCodes));
}

Deno.test("docs/errors.md explains each code of an error once, and no other", async () => {
  const page = await Deno.readTextFile(join(ROOT, "docs", "errors.md"));
  const explained = [...page.matchAll(/^### ([A-Z\d_]+)$/gm)].map(([, code]) => code!);
  assertEquals(explained.sort(), [...await declaredCodes()].sort());
});

Deno.test("each code of a union is given to some error", async () => {
  const used = new Set((await sources()).flatMap((text) => {
    return quotedCodes(text.replace(UNION, ""));
  }));
  assertEquals([...(await declaredCodes()).difference(used)], []);
});
