import type { ClusterOptions } from "../servers/mod.ts";

/** A test that can run on every server. */
export interface Scene {
  readonly name: string;
  /** @param base which server, if not the default one */
  run(base: Pick<ClusterOptions, "binary">): Promise<void>;
}
