import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { stripVTControlCharacters } from "node:util";
import { painter } from "../../cli/style.ts";
import { bar, columnChart } from "../../cli/top/chart.ts";
import { formatCount, formatDuration, formatRate } from "../../cli/top/numbers.ts";
import { render } from "../../cli/top/render.ts";
import { frame } from "../../cli/top/screen.ts";
import type { Gap } from "../../mod.ts";
import type { NodeView, TopView } from "../../cli/top/view.ts";
import { fit, textWidth } from "../../cli/top/width.ts";

const START = new Date(2026, 0, 2, 3, 4, 5).getTime();

function node(name: string, more: Partial<NodeView> = {}): NodeView {
  return {
    node: name,
    state: "ready",
    since: START,
    error: null,
    software: "redis",
    version: "7.0.15",
    protocol: 3,
    flags: "AKE",
    rate: 40,
    ...more,
  };
}

const VIEW: TopView = {
  what: "user:* on 127.0.0.1:6379, all databases",
  now: START + 75_000,
  elapsed: 75_000,
  total: 123_456,
  rate: 98.6,
  rateName: "now",
  mean: 76.5,
  peak: 160,
  seconds: Array.from({ length: 60 }, (_, i) => i < 10 ? 0 : i === 59 ? 160 : i),
  events: [
    { name: "set", rate: 60, total: 100_000 },
    { name: "expired", rate: 30, total: 23_000 },
    { name: "del", rate: 8.6, total: 456 },
  ],
  prefixes: [
    { name: "user:*", rate: 90, total: 120_000 },
    { name: "*", rate: 8.6, total: 3_456 },
  ],
  nodes: [node("127.0.0.1:6379")],
  uncovered: [],
  gaps: [],
  gapCount: 0,
  dropped: 0,
  notes: [],
};

const PICTURE = [
  " keywatch top  user:* on 127.0.0.1:6379, all databases                    75 s",
  "",
  " 99/s now    77/s last minute    123k in all    0 gaps",
  "",
  "                                                            █ 160/s",
  "                                                            █",
  "                                            ▁▁▁▁▁▂▂▂▂▂▃▃▃▃▃▄█",
  "           ▂▂▂▃▃▃▃▃▄▄▄▄▄▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇██████████████████████ 0",
  "",
  " EVENT                /s in all          KEYS                 /s in all",
  " set                  60   100k ██████   user:*               90   120k ██████",
  " expired              30 23,000 ███      *                   8.6  3,456 ▋",
  " del                 8.6    456 ▉",
  "",
  " ● 127.0.0.1:6379      40/s  redis 7.0.15  RESP3  flags AKE",
  "",
  " q quits",
];

const PLAIN = { columns: 80, rows: 24, paint: painter(false), footer: "q quits" };

Deno.test("a picture of 80 columns", () => {
  assertEquals(render(VIEW, PLAIN), PICTURE);
});

Deno.test("it fits every size, also with all there can be", () => {
  const crowded: TopView = {
    ...VIEW,
    what: "产品:*".repeat(40),
    total: 2 ** 50,
    dropped: 12_345_678,
    gapCount: 7,
    events: Array.from(
      { length: 70 },
      (_, i) => ({ name: `event-${i}`.repeat(9), rate: 1e7, total: 1e13 }),
    ),
    prefixes: Array.from(
      { length: 70 },
      (_, i) => ({ name: `键${i}:*`.repeat(9), rate: 1e7, total: 1e13 }),
    ),
    nodes: Array.from({ length: 30 }, (_, i) =>
      node(`node-${i}.a-very-long-name.example:7000`, {
        state: i % 3 === 0 ? "reconnecting" : "ready",
        error: "refused ".repeat(30),
        slots: [{ first: i * 100, last: i * 100 + 99 }],
      })),
    uncovered: [{ first: 0, last: 99 }],
    gaps: Array.from({ length: 7 }, () => ({
      kind: "gap",
      reason: "failover",
      node: "a.very-long-name.example:7000",
      slots: [{ first: 0, last: 5460 }],
      from: START,
      to: START + 5_000,
      dropped: 1234,
    })),
    notes: Array(9).fill("something happened ".repeat(9)),
  };
  for (const view of [VIEW, crowded, { ...VIEW, events: [], prefixes: [], total: 0, peak: 0 }]) {
    for (const columns of [1, 2, 10, 20, 40, 60, 72, 73, 80, 100, 200]) {
      for (const rows of [1, 2, 5, 10, 17, 24, 50, 100]) {
        const lines = render(view, { ...PLAIN, columns, rows });
        assert(lines.length <= rows, `${lines.length} lines in ${columns} x ${rows}`);
        for (const line of lines) {
          assert(textWidth(line) < Math.max(2, columns), `${columns} x ${rows}: "${line}"`);
        }
      }
    }
  }
});

Deno.test("before anything came it says so", () => {
  const lines = render({ ...VIEW, events: [], prefixes: [], rate: 0, peak: 0, total: 0 }, PLAIN);
  assertStringIncludes(lines.join("\n"), "\n nothing yet");
});

Deno.test("the title, the figures and the first rows come before all else", () => {
  const text = render(VIEW, { ...PLAIN, rows: 10 }).join("\n");
  for (const words of ["keywatch top", "99/s now", "EVENT", "set", "user:*"]) {
    assertStringIncludes(text, words);
  }
});

Deno.test("a narrow picture has one table under the other", () => {
  const lines = render(VIEW, { ...PLAIN, columns: 50, rows: 40 });
  const at = (word: string) => lines.findIndex((line) => line.startsWith(` ${word} `));
  assert(0 < at("EVENT") && at("EVENT") < at("expired"));
  assert(at("expired") < at("KEYS") && at("KEYS") < at("user:*"));
  const wide = render(VIEW, { ...PLAIN, columns: 80, rows: 40 });
  assertEquals(wide.filter((line) => line.includes("EVENT") && line.includes("KEYS")).length, 1);
});

Deno.test("a node in trouble comes first, with what is wrong; slots that nobody watches show", () => {
  const lost = node("10.0.0.2:7001", {
    state: "reconnecting",
    since: START + 72_000,
    error: "\x1b[2Jrefused",
  });
  const view = {
    ...VIEW,
    nodes: [node("10.0.0.1:7000", { slots: [{ first: 0, last: 8191 }] }), lost],
    uncovered: [{ first: 8192, last: 16383 }],
  };
  const lines = render(view, PLAIN);
  const at = lines.findIndex((line) => line.includes("10.0.0.2"));
  assertEquals(lines.slice(at, at + 3), [
    " ○ 10.0.0.2:7001  reconnecting for 3.0 s: \\x1b[2Jrefused",
    " ● 10.0.0.1:7000      40/s  redis 7.0.15  RESP3  flags AKE  slots 0-8191",
    " ! 8,192 slots are watched by nobody",
  ]);
});

Deno.test("gaps show with what is known of them, and how many there were before", () => {
  const gap = {
    kind: "gap",
    reason: "overflow",
    node: "a:1",
    from: START,
    to: START + 2_300,
  } as const;
  const view = { ...VIEW, gaps: [{ ...gap, dropped: 12 }, gap, gap, gap], gapCount: 9 };
  const lines = render(view, PLAIN);
  const at = lines.findIndex((line) => line.includes("gap of"));
  assertEquals(lines[at], " 03:04:05  gap of 2.3 s  a:1  overflow  12 dropped");
  assertEquals(lines[at + 3], "   and 6 before");
  assertStringIncludes(lines.join("\n"), "9 gaps");
});

Deno.test("what would drive a terminal is escaped, wherever it stands", () => {
  const bad = "\x1b]0;pwned\x07\u202e";
  const view: TopView = {
    ...VIEW,
    what: bad,
    events: [{ name: bad, rate: 1, total: 1 }],
    prefixes: [{ name: bad, rate: 1, total: 1 }],
    nodes: [node(bad, { software: bad, version: bad, flags: bad })],
    gaps: [{ kind: "gap", reason: "failover", node: bad, from: 0, to: 1 }],
    notes: [bad],
  };
  const text = render(view, { ...PLAIN, columns: 200, rows: 40 }).join("");
  assertEquals(/[\p{Cc}\p{Cf}]/u.test(text), false);
  assertEquals(text.match(/\\x1b\]0;pwned/g)!.length, 9);
});

Deno.test("colours take no room", () => {
  const painted = render(VIEW, { ...PLAIN, paint: painter(true) });
  assert(painted.join("").includes("\x1b[32m"));
  assertEquals(
    painted.map((line) => stripVTControlCharacters(line).trimEnd()),
    render(VIEW, PLAIN),
  );
});

Deno.test("a chart is as high as its highest number, and nothing is shown as nothing alone", () => {
  assertEquals(columnChart([0, 1, 50, 100], 1, 100), [" ▁▄█"]);
  assertEquals(columnChart([0, 25, 50, 100], 2, 100), ["   █", " ▄██"]);
  assertEquals(columnChart([0, 0], 1, 0), ["  "]);
  assertEquals([bar(0, 10, 4), bar(0.01, 10, 4), bar(5, 10, 4), bar(10, 10, 4), bar(0, 0, 4)], [
    "",
    "▏",
    "██",
    "████",
    "",
  ]);
});

Deno.test("numbers are short", () => {
  assertEquals([0, 999, 1234, 99_999].map(formatCount), ["0", "999", "1,234", "99,999"]);
  assertEquals([100_000, 1_234_567, 5e9, 7e13].map(formatCount), ["100k", "1.2M", "5.0G", "70.0T"]);
  assertEquals([0, 0.04, 9.94, 9.96, 1234.5].map(formatRate), ["0", "0.0", "9.9", "10", "1,235"]);
  assertEquals(
    [0, 9_900, 12_000, 119_400, 119_600, 3_600_000, 90_000_000, 200_000_000].map(formatDuration),
    ["0.0 s", "9.9 s", "12 s", "119 s", "2 min", "1 h 0 min", "25 h 0 min", "2 d"],
  );
});

Deno.test("text is as wide as a terminal shows it", () => {
  assertEquals(["abc", "产品", "e\u0301", "🚀"].map(textWidth), [3, 4, 1, 2]);
  assertEquals([fit("abc", 5), fit("abcdef", 4), fit("产品名", 4), fit("abc", 0)], [
    "abc  ",
    "abc…",
    "产… ",
    "",
  ]);
});

Deno.test("a picture is one write that clears nothing before it is drawn", () => {
  assertEquals(
    frame(["one", "two"]),
    "\x1b[?2026h\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J\x1b[?2026l",
  );
});

Deno.test("a tall screen shows more", () => {
  const gaps = Array.from({ length: 20 }, (_, i): Gap => {
    return { kind: "gap", reason: "disconnected", node: `a:${i}`, from: START, to: START + 1_000 };
  });
  const view: TopView = { ...VIEW, gaps, gapCount: 20, notes: Array(9).fill("a note") };
  const count = (rows: number, words: string) =>
    render(view, { ...PLAIN, rows }).filter((line) => line.includes(words)).length;
  assertEquals([count(24, "gap of"), count(24, "a note")], [3, 2]);
  assertEquals([count(70, "gap of"), count(70, "a note")], [8, 5]);
  assertEquals([count(24, "█"), count(70, "█")].map((lines) => lines > 8), [false, true]);
});

Deno.test("the chosen row is marked, and always shown", () => {
  const prefixes = Array.from({ length: 40 }, (_, i) => ({ name: `p${i}:*`, rate: 1, total: 1 }));
  for (const columns of [50, 80]) {
    for (const selected of [0, 1, 20, 39]) {
      const lines = render({ ...VIEW, prefixes }, { ...PLAIN, columns, selected });
      const marked = lines.filter((line) => line.includes("›"));
      assertEquals(marked.length, 1);
      assertStringIncludes(marked[0]!, `›p${selected}:*`);
    }
  }
});

Deno.test("what the keys do wraps", () => {
  const footer = "q quits  space pauses  s sorts (rate)  / filters  ↑↓ enter opens a prefix";
  const lines = render(VIEW, { ...PLAIN, columns: 60, footer });
  assertEquals(lines.slice(-2).join(" ").replace(/ +/g, " ").trim(), footer.replace(/ +/g, " "));
});
