/** Marks that stand over the character before them. */
const ZERO = /^[\p{Mn}\p{Me}]$/u;

/** Characters that take two columns: of East Asian scripts, and pictures. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

function widthOf(character: string): number {
  return ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** How many columns of a terminal a text takes that holds no control characters. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** Cuts text to so many columns, with a mark where something is gone, and fills it up to them. */
export function fit(text: string, width: number): string {
  const own = textWidth(text);
  return own <= width ? text + " ".repeat(width - own) : clip(text, width);
}

function clip(text: string, width: number): string {
  if (width < 1) return "";
  let clipped = "";
  let taken = 0;
  for (const character of text) {
    const next = taken + widthOf(character);
    if (next > width - 1) break;
    clipped += character;
    taken = next;
  }
  return `${clipped}…${" ".repeat(width - 1 - taken)}`;
}
