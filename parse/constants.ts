/** An object with each name under itself in capitals. */
export function constants(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name.toUpperCase().replace("-", "_"), name]));
}
