import { join } from "node:path";
import {
  ensureServer,
  identify,
  MissingServerError,
  type ProgressOptions,
  type ServerBinary,
} from "./binary.ts";
import { cacheFolder, withLock } from "./cache.ts";
import { run } from "./run.ts";

/** A server of the matrix, and the Debian suites that have it. */
export interface WantedServer {
  product: ServerBinary["product"];
  /** Major and minor. */
  version: string;
  /** The first one is the default; the package comes from the last. */
  suites: [string, ...string[]];
}

const MATRIX: WantedServer[] = [
  { product: "redis", version: "7.0", suites: ["bookworm"] },
  { product: "redis", version: "8.0", suites: ["trixie"] },
  { product: "redis", version: "8.6", suites: ["sid", "experimental"] },
  { product: "valkey", version: "8.1", suites: ["trixie"] },
  { product: "valkey", version: "9.1", suites: ["sid"] },
  { product: "redict", version: "7.3", suites: ["sid"] },
];

function nameOf({ product, version }: WantedServer): string {
  return `${product}-${version}`;
}

function fits(binary: ServerBinary, { product, version }: WantedServer): boolean {
  return binary.product === product && binary.version.startsWith(`${version}.`);
}

async function must(
  what: string,
  command: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const finished = await run(command, { env: { LC_ALL: "C", ...env } });
  if (finished.code === 0) return finished.stdout;
  throw new MissingServerError(
    `Cannot ${what}: \`${command.join(" ")}\` ended with ${finished.code}; it wrote:\n` +
      finished.output.trimEnd(),
  );
}

/** The archive that this machine's own packages come from. */
async function mirror(): Promise<string> {
  const targets = await must("find this machine's Debian mirror", [
    "apt-get",
    "indextargets",
    "--format",
    "$(RELEASE) $(REPO_URI)",
    "Created-By: Packages",
    "Component: main",
  ]);
  const release = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1];
  for (const line of targets.split("\n")) {
    const [suite, uri] = line.split(" ");
    if (uri && (suite === codename || /^(?:stable|testing|unstable|sid)$/.test(suite!))) return uri;
  }
  throw new MissingServerError(
    "Cannot find this machine's Debian mirror: no source of `apt-get indextargets` is Debian's " +
      "own; add Debian's archive to the sources of apt",
  );
}

/**
 * Unpacks a package with all it needs, down to the C library, into a folder. Apt works on a state
 * of its own that knows no installed package; the system's stays as it is, and no root is needed.
 */
async function unpack(
  packageName: string,
  suites: WantedServer["suites"],
  work: string,
  root: string,
): Promise<void> {
  const uri = await mirror();
  const sources = join(work, "sources.list");
  const status = join(work, "status");
  const archives = join(work, "cache", "archives");
  for (const folder of [join(work, "lists", "partial"), join(archives, "partial"), root]) {
    await Deno.mkdir(folder, { recursive: true });
  }
  await Deno.writeTextFile(sources, suites.map((suite) => `deb ${uri} ${suite} main\n`).join(""));
  await Deno.writeTextFile(status, "");
  const options = {
    "Dir::Etc::SourceList": sources,
    "Dir::Etc::SourceParts": "-",
    "Dir::Etc::PreferencesParts": "-",
    "Dir::State": work,
    "Dir::State::Lists": join(work, "lists"),
    "Dir::State::status": status,
    "Dir::Cache": join(work, "cache"),
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  const apt = [
    "apt-get",
    "-q",
    ...Object.entries(options).flatMap(([k, v]) => ["-o", `${k}=${v}`]),
  ];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await must(`read what is in ${suites.join(", ")}`, [...apt, "update"], env);
  const download = ["-y", "-t", suites.at(-1)!, "install", "--download-only", packageName];
  await must(`fetch ${packageName} of ${suites.at(-1)}`, [...apt, ...download], env);
  for await (const { name } of Deno.readDir(archives)) {
    if (name.endsWith(".deb")) {
      await must(`unpack ${name}`, ["dpkg-deb", "--extract", join(archives, name), root]);
    }
  }
}

async function find(folder: string, pattern: RegExp): Promise<string | null> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (pattern.test(name)) return join(folder, name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return null;
}

/** The server in a folder that `unpack` made, started through that folder's own loader. */
async function serverIn(root: string, { product }: WantedServer): Promise<ServerBinary | null> {
  const libraries = await find(join(root, "usr", "lib"), /-linux-gnu/);
  const loader = libraries && await find(libraries, /^ld-linux.*\.so\.\d+$/);
  if (!loader) return null;
  const program = join(root, "usr", "bin", `${product}-check-rdb`);
  return await identify([
    loader,
    // The tools' package has the server too, under another name; which of them it is, the
    // program decides by the name it was called by.
    ...["--argv0", `${product}-server`, "--library-path", libraries, program],
  ]);
}

async function removeFolders(...folders: string[]): Promise<void> {
  for (const folder of folders) {
    await Deno.remove(folder, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

/**
 * A server of one version, from the cache folder, or fetched into it. Safe in several processes
 * at once: one fetches, the others wait for it.
 *
 * @throws {MissingServerError} if it cannot be had
 */
export async function fetchServer(
  wanted: WantedServer,
  options: ProgressOptions = {},
): Promise<ServerBinary> {
  const name = nameOf(wanted);
  const root = join(await cacheFolder("servers"), name);
  const cached = await serverIn(root, wanted);
  if (cached && fits(cached, wanted)) return cached;

  return await withLock(name, async () => {
    const meanwhile = await serverIn(root, wanted);
    if (meanwhile && fits(meanwhile, wanted)) return meanwhile;
    options.progress?.(`Fetching ${name} from Debian's ${wanted.suites.at(-1)} …`);
    // Beside the place it goes to, so that it gets there whole or not at all.
    const unfinished = `${root}.unfinished`;
    const work = `${root}.work`;
    try {
      await removeFolders(unfinished, work);
      await unpack(`${wanted.product}-tools`, wanted.suites, work, unfinished);
      const fetched = await serverIn(unfinished, wanted);
      if (!fetched || !fits(fetched, wanted)) {
        const found = fetched ? `${fetched.product} ${fetched.version}` : "nothing that runs";
        throw new MissingServerError(
          `Cannot bring ${name}: Debian's ${wanted.suites.at(-1)} has ${found} now; name the ` +
            "suite that has it in tests/servers/versions.ts, or the version to test instead",
        );
      }
      await removeFolders(root);
      await Deno.rename(unfinished, root);
    } finally {
      await removeFolders(unfinished, work);
    }
    const placed = await serverIn(root, wanted);
    if (placed) return placed;
    throw new MissingServerError(`Cannot run ${name} in ${root}; remove that folder and try again`);
  });
}

async function gather(options: ProgressOptions): Promise<ServerBinary[]> {
  const own = await ensureServer(options);
  const servers: ServerBinary[] = [];
  for (const wanted of MATRIX) {
    servers.push(fits(own, wanted) ? own : await fetchServer(wanted, options));
  }
  return servers;
}

let gathered: Promise<ServerBinary[]> | undefined;

/**
 * Every server version that the tests of the matrix run on. Those missing are
 * fetched once from Debian's archive into the cache folder, and stay there.
 *
 * @throws {MissingServerError} if one of them cannot be had, which no test may pass over
 */
export function matrix(options: ProgressOptions = {}): Promise<ServerBinary[]> {
  gathered ??= gather(options).catch((error) => {
    gathered = undefined;
    throw error;
  });
  return gathered;
}
