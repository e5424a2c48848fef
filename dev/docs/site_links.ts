import { join } from "node:path";

/** Returns the links between the files of a site that lead nowhere, as `file: target`. */
export async function brokenLinks(folder: string, base: string): Promise<string[]> {
  const files = new Set<string>();
  const walk = async (under: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(join(folder, under))) {
      if (isDirectory) await walk(`${under}${name}/`);
      else files.add(under + name);
    }
  };
  await walk("");
  const pages = new Map<string, Page>();
  for (const file of files) {
    if (file.endsWith(".html")) pages.set(file, parse(await Deno.readTextFile(join(folder, file))));
  }
  const origin = "http://site.test";
  const broken = new Set<string>();
  for (const [file, { targets }] of pages) {
    for (const target of targets) {
      const url = new URL(target, `${origin}${base}${file}`);
      if (url.origin !== origin) continue;
      const path = decodeURIComponent(url.pathname);
      const linked = path.startsWith(base) ? resolvePath(path.slice(base.length), files) : null;
      const anchor = decodeURIComponent(url.hash.slice(1));
      const hasAnchor = anchor === "" || (pages.get(linked ?? "")?.ids.has(anchor) ?? false);
      if (linked === null || !hasAnchor) broken.add(`${file}: ${target}`);
    }
  }
  return [...broken].sort();
}

interface Page {
  targets: string[];
  ids: Set<string>;
}

function parse(html: string): Page {
  const markup = html.replace(/<script\b(?![^>]*\bsrc=)[^>]*>.*?<\/script>/gs, "");
  const values = (pattern: RegExp) =>
    [...markup.matchAll(pattern)].map(([, value]) => text(value!));
  return {
    targets: values(/<[a-z][^>]*\s(?:href|src)="([^"]*)"/g),
    ids: new Set(values(/<[a-z][^>]*\s(?:id|name)="([^"]*)"/g)),
  };
}

/** Finds the file that a server of static files returns for a path. */
function resolvePath(path: string, files: Set<string>): string | null {
  const candidates = [path, `${path}index.html`, `${path}/index.html`, `${path}.html`];
  return candidates.find((candidate) => files.has(candidate.replace(/^\//, ""))) ?? null;
}

const ENTITIES: Record<string, string> = { quot: '"', lt: "<", gt: ">", amp: "&" };

function text(attribute: string): string {
  return attribute.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (entity, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? entity;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : parseInt(hex, 16));
  });
}
