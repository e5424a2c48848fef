import { describeEvent } from "../events/mod.ts";
import type { Style } from "./style.ts";

/** A colour for each class of events, by its letter in `notify-keyspace-events`. */
const CLASS_STYLES: Readonly<Record<string, Style>> = {
  g: "yellow",
  $: "green",
  l: "cyan",
  s: "cyan",
  h: "blueBright",
  z: "magenta",
  t: "cyan",
  a: "cyan",
  x: "red",
  e: "red",
  m: "gray",
  n: "gray",
  o: "yellow",
  c: "yellow",
};

/** The style of an event, that of its class; the terminal's own for one that is not known. */
export function eventStyle(event: string): Style {
  return CLASS_STYLES[describeEvent(event).class ?? ""] ?? "reset";
}
