import { byteText, fromByteText } from "../bytes/byte_text.ts";
import { Channel, matchGlob } from "../parse/mod.ts";
import { FilteredConsumer, makeFilter } from "./filter.ts";
import { Server } from "./server.ts";
import type { StandbyOptions } from "./standby/standby.ts";

/** Returns what a standby is given, so that bundlers do not divide the chunk of these values. */
export function standbyTools(): StandbyOptions["tools"] {
  return { byteText, Channel, FilteredConsumer, fromByteText, makeFilter, matchGlob, Server };
}
