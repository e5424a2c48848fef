/** A channel's name short enough for a message. */
export function clip(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
