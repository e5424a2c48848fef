/** Translates what the library says of its options into the options of the CLI. */
const OPTIONS: readonly (readonly [library: RegExp, tool: string])[] = [
  [/\btls\.(ca|cert|key)\b/g, "--$1"],
  [/\btls\.serverName\b/g, "--servername"],
  [/\bthe password option\b/g, "--password"],
  [/\bthe options username, password and credentials\b/g, "--user and --password"],
];

/** What to tell the user of an error. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return OPTIONS.reduce((text, [library, tool]) => text.replace(library, tool), message);
}
