/**
 * The events that servers send, and the flags in `notify-keyspace-events` that make them do so. Pure,
 * like `./parse`, whose channels it takes.
 *
 * @example
 * ```ts
 * import { describeEvent, EventType, requiredFlags } from "@keywatch/keywatch/events";
 * import { KeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * requiredFlags(new KeyeventChannel(EventType.EXPIRED)); // "xE"
 * describeEvent("zincrby").text; // "zincrby is sent by no server: what comes instead is zincr"
 * ```
 *
 * @module
 */
export { describeEvent, type EventDescription, EventType, isKnownEvent } from "./event.ts";
export {
  type FlagsReport,
  type MergedFlags,
  mergeFlags,
  missingFlags,
  type NarrowedChannel,
  parseFlags,
  printFlags,
  requiredFlags,
} from "./flags.ts";
