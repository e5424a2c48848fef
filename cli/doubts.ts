import { describeEvent, EventType } from "../events/mod.ts";
import { isPattern } from "../mod.ts";
import { didYouMean } from "./command.ts";
import type { Selection } from "./selection.ts";

/** The names of the events that servers send. */
export const EVENT_NAMES: readonly string[] = Object.values(EventType);

/**
 * What of a selection makes sense, but may not be what was meant: an event that nobody is known to
 * send, which would be waited for in vain, and keys that are called like events.
 *
 * @returns each doubt in a line
 */
export function doubtsOf({ patterns, events }: Pick<Selection, "patterns" | "events">): string[] {
  const unknown = events.filter((event) =>
    !isPattern(event) && describeEvent(event).class === null
  );
  // A user who names an event knows how that is done.
  const asKeys = events.length > 0
    ? []
    : patterns.filter((pattern) => describeEvent(pattern).class !== null);
  return [
    ...unknown.map((event) => describeEvent(event).text + didYouMean(event, EVENT_NAMES)),
    ...asKeys.map((name) =>
      `${name} is the key of that name; the event is asked for by --event ${name}`
    ),
  ];
}
