import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { ROOT } from "../../dev/project.ts";

/** The texts that people read, all but the notes of what changed. */
async function texts(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ["", "docs", "docs/contributing"]) {
    for await (const { name } of Deno.readDir(join(ROOT, folder))) {
      if (name.endsWith(".md")) found.push(join(folder, name));
    }
  }
  return found.sort();
}

/** As the usual renderers make the name of a heading's anchor. */
function anchors(markdown: string): Set<string> {
  const headings = withoutCode(markdown).matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, "`");
}

/** The links of a text that lead nowhere. */
async function broken(file: string, markdown: string): Promise<string[]> {
  const dead: string[] = [];
  for (const [, target] of withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:\/\//.test(target!)) {
      if (!URL.canParse(target!)) dead.push(target!);
      continue;
    }
    const [path, anchor] = target!.split("#") as [string, string?];
    const linked = join(dirname(file), path);
    if (path !== "" && !await exists(linked)) dead.push(target!);
    else if (anchor !== undefined) {
      const text = path === "" ? markdown : await Deno.readTextFile(join(ROOT, linked));
      if (!anchors(text).has(anchor)) dead.push(target!);
    }
  }
  return dead;
}

Deno.test("every link of the documents leads somewhere", async () => {
  const dead: string[] = [];
  for (const file of await texts()) {
    const markdown = await Deno.readTextFile(join(ROOT, file));
    for (const target of await broken(file, markdown)) dead.push(`${file}: ${target}`);
  }
  assertEquals(dead, []);
});

Deno.test("a link that leads nowhere is noticed", async () => {
  const markdown = "# One two\n[a](missing.md) [b](#one-two) [c](#one) [d](docs/servers.md#no)";
  assertEquals(await broken("README.md", markdown), ["missing.md", "#one", "docs/servers.md#no"]);
});

Deno.test("every file and folder that the documents name exists", async () => {
  const missing: string[] = [];
  for (const file of await texts()) {
    if (file === "CHANGELOG.md") continue;
    const markdown = await Deno.readTextFile(join(ROOT, file));
    for (const [, path, folder] of markdown.matchAll(/`(([\w-]+)\/[\w./-]+)`/g)) {
      if (!await exists(folder!)) continue;
      if (!await exists(path!)) missing.push(`${file}: ${path}`);
    }
  }
  assertEquals(missing, []);
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(join(ROOT, path)).then(() => true, () => false);
}

Deno.test("the examples of the documents that need no server run", async () => {
  for (const file of await texts()) {
    const markdown = await Deno.readTextFile(join(ROOT, file));
    for (const [, example] of markdown.matchAll(/^```ts\n(.*?)^```/gms)) {
      // From standard input it runs in the project's folder, where the package's name leads to it.
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "-"],
        cwd: ROOT,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(example));
      await writer.close();
      const { code, stderr } = await child.output();
      const notes = new TextDecoder().decode(stderr);
      // `console.assert` says what is wrong, but fails nothing.
      assertEquals([code, notes.includes("Assertion failed")], [0, false], `${example}${notes}`);
    }
  }
});
