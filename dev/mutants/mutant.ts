/** A small breakage of the library that a test must notice. */
export interface Mutant {
  /** What the breakage does, seen by a user. */
  readonly name: string;
  /** The file that is changed. */
  readonly file: string;
  /** The text to replace, which must occur exactly once in the file. */
  readonly before: string;
  /** What replaces it. */
  readonly after: string;
  /** The arguments of `deno test` for the nearby tests: files, and `--filter=` where they are slow. */
  readonly tests: readonly string[];
}
