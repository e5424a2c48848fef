import type { ClusterOptions } from "../servers/mod.ts";
import type { Step } from "../steps.ts";

/** A test that can run on every server, in steps that share a cluster. */
export interface Scene {
  readonly name: string;
  /** @param base which server, if not the default one */
  run(base: Pick<ClusterOptions, "binary">, step: Step): Promise<void>;
}
