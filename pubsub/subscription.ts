import type { Channel } from "../parse/mod.ts";

/** A hold on channels, which `subscribe` gives back. */
export interface Subscription extends AsyncDisposable {
  /** The channels. */
  readonly channels: readonly Channel[];
  /** Lets go of them. The last hold on a channel to go unsubscribes it. */
  unsubscribe(): Promise<void>;
}
