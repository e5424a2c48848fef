/** The seed of a run of all tests, which says how to repeat it; another one each time elsewhere. */
export function anySeed(): number {
  const given = Deno.env.get("TEST_SEED");
  return given ? Number(given) : crypto.getRandomValues(new Uint32Array(1))[0]!;
}
