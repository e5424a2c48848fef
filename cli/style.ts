import { styleText } from "node:util";

/** A colour, or another look of text. */
export type Style = Parameters<typeof styleText>[0];

/** Gives text a style. */
export type Paint = (style: Style, text: string) => string;

/** Paints text for where colours are shown, and leaves it alone for where they are not. */
export function painter(color: boolean): Paint {
  return (style, text) => color ? styleText(style, text, { validateStream: false }) : text;
}
