import type { Target } from "../connection.ts";
import type { Selection } from "../selection.ts";

/** What is looked for, and how far it may go. */
export interface Checkup {
  /** Where, and who to be there. */
  readonly target: Target;
  /** What should come. */
  readonly selection: Selection;
  /** Whether keys of its own may be touched, to see that their notifications come. */
  readonly probe: boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
}
