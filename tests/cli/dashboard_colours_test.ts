import { assert, assertEquals } from "@std/assert";
import { KINDS } from "../../cli/dashboard/feed.ts";

type Triple = readonly [number, number, number];

/** How eyes see that lack one of the three cones, in linear RGB: Machado, Oliveira, Fernandes 2009. */
const EYES: Record<string, readonly [Triple, Triple, Triple]> = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.303900],
  ],
};

function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function linear(hex: string): Triple {
  const parts = [0, 2, 4].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return parts as unknown as Triple;
}

/** In Oklab, in which distances are as large as they look. */
function oklab(rgb: Triple): Triple {
  const cones = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
  ].map((row) => Math.cbrt(dot(row as unknown as Triple, rgb))) as unknown as Triple;
  return [
    dot([0.2104542553, 0.793617785, -0.0040720468], cones),
    dot([1.9779984951, -2.428592205, 0.4505937099], cones),
    dot([0.0259040371, 0.7827717662, -0.808675766], cones),
  ];
}

function seenBy(eye: readonly [Triple, Triple, Triple], hex: string): Triple {
  const rgb = eye.map((row) => Math.min(1, Math.max(0, dot(row, linear(hex)))));
  return oklab(rgb as unknown as Triple);
}

Deno.test("any two kinds of the dashboard differ for every eye, in light and dark", async (t) => {
  const file = new URL("../../cli/dashboard/page/page.css", import.meta.url);
  const [light, dark] = (await Deno.readTextFile(file)).split(
    "@media (prefers-color-scheme: dark)",
  );
  for (const [scheme, css] of Object.entries({ light: light!, dark: dark! })) {
    const colours = KINDS.map((kind) => new RegExp(`--${kind}: #(\\w{6});`).exec(css)![1]!);
    assertEquals(new Set(colours).size, KINDS.length);
    for (const [name, eye] of Object.entries(EYES)) {
      await t.step(`${scheme}, ${name}`, () => {
        const seen = colours.map((colour) => seenBy(eye, colour));
        seen.forEach((one, i) => {
          for (const [j, other] of seen.entries()) {
            if (j <= i) continue;
            const distance = Math.hypot(...one.map((part, axis) => part - other[axis]!));
            assert(distance > 0.095, `${KINDS[i]} and ${KINDS[j]}: ${distance.toFixed(3)}`);
          }
        });
      });
    }
  }
});
