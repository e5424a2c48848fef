/**
 * The examples with frameworks, as their users start them. Next is among the bundlers.
 *
 * @module
 */
import { join } from "node:path";
import { mustRun } from "../runtimes/package.ts";
import { findNode24 } from "../runtimes/programs.ts";
import { assertStreams, projectOfTests, start, startTalkative } from "./project.ts";

const project = projectOfTests([
  "@hono/node-server@2.1.8",
  "@nestjs/common@12.5.1",
  "@nestjs/core@12.5.1",
  "@nestjs/platform-express@12.5.1",
  "@sveltejs/adapter-node@6.0.1",
  "@sveltejs/kit@3.2.0",
  "@sveltejs/vite-plugin-svelte@7.3.1",
  "@types/node@24.10.1",
  "express@5.3.0",
  "hono@4.13.19",
  "reflect-metadata@0.2.2",
  "rxjs@7.8.2",
  "svelte@5.57.3",
  "typescript@6.0.3",
  "vite@8.4.0",
]);

const inPackage = (path: string) => join(project.folder, "node_modules", path);

/** Has Node run a build tool in a folder of the project. */
async function build(folder: string, path: string, ...args: string[]): Promise<void> {
  const command = [...await findNode24(), inPackage(path), ...args];
  await mustRun("build", command, join(project.folder, folder));
}

interface Framework {
  readonly name: string;
  /** The program that serves, from the project's folder. */
  readonly program: string;
  readonly build?: () => Promise<void>;
}

const FRAMEWORKS: readonly Framework[] = [
  { name: "Express", program: "express.mjs" },
  { name: "Hono", program: "hono.mjs" },
  {
    name: "NestJS",
    program: "nestjs.js",
    build: () =>
      build(".", "typescript/bin/tsc", ...[
        ...["nestjs.ts", "--strict", "--target", "es2022", "--module", "nodenext"],
        ...["--types", "node", "--experimentalDecorators", "--emitDecoratorMetadata"],
      ]),
  },
  {
    name: "SvelteKit",
    program: "sveltekit/build/index.js",
    build: () => build("sveltekit", "vite/bin/vite.js", "build"),
  },
];

for (const { name, program, build } of FRAMEWORKS) {
  Deno.test(`server-sent events and gaps from ${name}`, async () => {
    await build?.();
    await using server = await startTalkative();
    const env = { PORT: "0", HOST: "127.0.0.1" };
    await using tool = start([...await findNode24(), program], project.folder, server, env);
    const [line] = (await tool.linesUntil("http://")).slice(-1);
    await assertStreams(new URL("/events", /http:\S+/.exec(line!)![0]).href, server);
  });
}
