import { assertEquals } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import {
  canEverReceive,
  knownFlags,
  missingOn,
  sinceWhen,
  unknownFlags,
} from "../../events/flags.ts";
import {
  mergeFlags,
  missingFlags,
  parseFlags,
  printFlags,
  requiredFlags,
} from "../../events/mod.ts";
import {
  KeyeventChannel,
  KeyspaceChannel,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
} from "../../parse/mod.ts";

Deno.test("flags are printed in the servers' order, with A for the ten it stands for", () => {
  const rows: [string, string][] = [
    ["", ""],
    ["KEA", "AKE"],
    ["EKxg", "gxKE"],
    ["mEKnx", "xnKEm"],
    ["dtexzhsl$gKE", "AKE"],
    ["dtexzhsl$gKEnm", "AnKEm"],
    ["texzhsl$gKE", "g$lshzxetKE"],
    ["VITSmEKcona", "anocKEmSTIV"],
    ["AgKK", "AK"],
    ["ZqKA?", "AKZq?"],
  ];
  for (const [given, printed] of rows) {
    assertEquals(printFlags(parseFlags(given)), printed);
    assertEquals(printFlags(given), printed);
  }
});

Deno.test("flags are read as the letters in force", () => {
  assertEquals(parseFlags("AKE"), new Set("g$lshzxetdKE"));
  assertEquals(parseFlags("xE"), new Set("xE"));
  assertEquals(parseFlags("E?"), new Set("E?"));
});

Deno.test("no letter is lost between reading and printing", () => {
  const letters = fc.string({
    unit: fc.constantFrom(..."Ag$lshzxetdanocrKEmSTIVqZ?"),
    maxLength: 16,
  });
  fc.assert(
    fc.property(letters, (text) => {
      const printed = printFlags(parseFlags(text));
      const again = parseFlags(printed);
      // Where arrays are known `A` stands for them too, and servers do not print both.
      if (printed.includes("A") && text.includes("a")) again.add("a");
      assertEquals([...again].sort(), [...parseFlags(text)].sort());
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("a subscription needs its type and the class of its events", () => {
  const rows: [Parameters<typeof requiredFlags>, string][] = [
    [[], ""],
    [[new KeyeventChannel("expired")], "xE"],
    [[new KeyeventChannel("keymiss")], "Em"],
    [[new KeyeventChannel("new")], "nE"],
    [[new KeyeventChannel("arset")], "aE"],
    [[new KeyeventChannel("overwritten")], "oE"],
    [[new KeyeventChannel("expired", { db: "*" })], "xE"],
    [[new KeyeventChannel("xgroup-*")], "tE"],
    [[new KeyeventChannel("expire*")], "gxE"],
    [[new KeyeventChannel("n*")], "nE"],
    [[new KeyeventChannel("json.set")], "AE"],
    [[new KeyeventChannel("json.*")], "AE"],
    [[KeyeventChannel.allEvents()], "AE"],
    [[KeyeventChannel.exact("*")], "AE"],
    [[new KeyspaceChannel("user:1")], "AK"],
    [[new KeyspaceChannel("user:*")], "AK"],
    [[new KeyspaceChannel("__keyevent@0__:expired")], "AK"],
    [[{ channel: new KeyspaceChannel("user:*"), events: ["set", "del"] }], "g$K"],
    [[{ channel: "__keyspace@0__:*", events: ["set", "json.set"] }], "AK"],
    [[{ channel: KeyeventChannel.allEvents(), events: ["new"] }], "nE"],
    // What is listed counts, also outside A.
    [[{ channel: new KeyspaceChannel("u:*"), events: ["set", "new"] }], "$nK"],
    [[{ channel: new KeyspaceChannel("u"), events: ["del", "keymiss"] }], "gKm"],
    [[{ channel: "__key*__:*", events: ["type_changed", "overwritten", "set"] }], "$ocKE"],
    [[{ channel: new KeyspaceChannel("u"), events: ["json.set", "new"] }], "AnK"],
    [[{ channel: new SubkeyspaceChannel("u"), events: ["hset", "set"] }], "$hS"],
    [[new SubkeyspaceChannel("h")], "hS"],
    [[new SubkeyeventChannel("hset")], "hT"],
    [[SubkeyeventChannel.allEvents()], "hT"],
    [[new SubkeyeventChannel("h*")], "hT"],
    [[new SubkeyspaceitemChannel("h", "f")], "hI"],
    [[new SubkeyspaceeventChannel("hset", "h")], "hV"],
    [[new SubkeyspaceeventChannel("h*", "a|b")], "hV"],
    [["__keyevent@*__:expired"], "xE"],
    [["__keyevent@0__:expired"], "xE"],
    [[new TextEncoder().encode("__keyevent@0__:expired")], "xE"],
    [["__keyspace@0__:*"], "AK"],
    [["__key*__:*"], "AKE"],
    [["__key*@0__:*"], "AKE"],
    [["*"], "AKE"],
    [["__subkeyspace@0__:*"], "hS"],
    // Patterns whose beginning is one too.
    [["__sub*@*__:*"], "hSTIV"],
    [["__sub*event@*__:*"], "hSTIV"],
    [["*__:*"], "AKE"],
    [["_*"], "AKE"],
    [["?*"], "AKE"],
    [["_[_]keyspace@0__:k"], "AK"],
    [["[^a]_keyspace@0__:k"], "AK"],
    [["__?eyspace@0__:k"], "AK"],
    [["__[k]eyevent@0__:expired"], "xE"],
    [["__\\keyevent@[0-3]__:expired"], "xE"],
    [["__keyevent@1?__:expired"], "xE"],
    [["__keye*:expired"], "AE"],
    [["__ke[@*]event@0__:expired"], ""],
    [["__key[e@]vent@0__:expired"], "xE"],
    [["*:expired"], "AKE"],
    [["__*space@*"], "AKE"],
    [["__subkeyspaceevent@*__:hset|*"], "hV"],
    [["__subkeyspaceevent@*"], "hV"],
    // No server has such channels.
    [["_[k]*"], ""],
    [["news"], ""],
    [["news.*"], ""],
    [["__keyspace@0__:k", new KeyeventChannel("keymiss"), "news"], "AKEm"],
    [[new KeyeventChannel("set"), new KeyeventChannel("expired")], "$xE"],
    [[new KeyeventChannel("set"), new KeyspaceChannel("k")], "AKE"],
  ];
  for (const [channels, flags] of rows) {
    assertEquals(requiredFlags(...channels), flags, JSON.stringify(channels.map(String)));
  }
});

Deno.test("a flag is present, missing, or unknown", () => {
  const all = new KeyspaceChannel("k");
  const expired = new KeyeventChannel("expired");
  const made = new KeyeventChannel("new");
  const miss = new KeyeventChannel("keymiss");
  const rows: [string | null, Parameters<typeof requiredFlags>, string[], boolean][] = [
    ["AKE", [expired], ["xE", "", ""], true],
    ["xE", [expired], ["xE", "", ""], true],
    ["AK", [expired], ["x", "E", ""], false],
    ["$KE", [expired], ["E", "x", ""], false],
    ["", [expired], ["", "xE", ""], false],
    ["KE", [expired], ["E", "x", ""], false],
    [null, [expired], ["", "", "xE"], true],
    ["AKE", [all], ["AK", "", ""], true],
    ["g$lshzxetdKE", [all], ["AK", "", ""], true],
    ["$K", [all], ["K", "A", ""], true],
    ["K", [all], ["K", "A", ""], false],
    ["A", [all], ["A", "K", ""], false],
    ["q", [all], ["", "AK", ""], false],
    ["qK", [all], ["K", "A", ""], true],
    // What the servers do not print once A is set.
    ["AKE", [made], ["E", "", "n"], true],
    ["AKE", [new KeyeventChannel("overwritten")], ["E", "", "o"], true],
    ["AKE", [new KeyeventChannel("type_changed")], ["E", "", "c"], true],
    ["AnKE", [made], ["nE", "", ""], true],
    ["$KE", [made], ["E", "n", ""], false],
    ["$nKE", [made], ["nE", "", ""], true],
    // Key misses are printed, and so are channel types.
    ["AKE", [miss], ["E", "m", ""], false],
    ["AKEm", [miss], ["Em", "", ""], true],
    ["AKE", [new SubkeyspaceChannel("h")], ["h", "S", ""], false],
    // Where arrays are known, A stands for them too.
    ["AKE", [new KeyeventChannel("arset")], ["aE", "", ""], true],
    ["$KE", [new KeyeventChannel("arset")], ["E", "a", ""], false],
    ["xE", ["news"], ["", "", ""], true],
    // One of several is enough to receive something.
    ["xE", [all, expired], ["E", "AK", ""], true],
    ["AKE", [made, expired, miss], ["xE", "m", "n"], true],
    ["xE", ["__key*__:*"], ["E", "AK", ""], true],
    // Of A the letters that are not there, unless they are most of it.
    ["g$lshzxetKE", [all], ["g$lshzxetK", "d", ""], true],
    ["$lshzK", [all], ["$lshzK", "gxetd", ""], true],
    ["lshzK", [all], ["K", "A", ""], true],
    ["g$lshzxetnKE", [all, made], ["g$lshzxetnKE", "d", ""], true],
    ["", [all], ["", "AK", ""], false],
    ["d", [all], ["", "AK", ""], false],
    // A pattern may bring something of one channel type though it can nothing of another.
    ["AKE", ["__sub*@*__:*"], ["h", "STIV", ""], false],
    ["AKET", ["__sub*@*__:*"], ["hT", "SIV", ""], true],
    ["$KE", ["__sub*@*__:*"], ["", "hSTIV", ""], false],
    ["hS", ["*"], ["", "AKE", ""], true],
    ["$nE", [{ channel: all, events: ["new"] }], ["n", "K", ""], false],
    ["AKE", [{ channel: all, events: ["set", "new"] }], ["$K", "", "n"], true],
  ];
  for (const [configured, channels, [present, missing, unknown], canReceive] of rows) {
    assertEquals(
      missingFlags(configured, ...channels) as unknown,
      { present, missing, unknown, canReceive },
      `${configured} for ${channels.map(String)}`,
    );
  }
});

Deno.test("flags are added, and never dropped or turned off unsaid", () => {
  const rows: [string, string, string, string, string][] = [
    ["", "xE", "xE", "xE", ""],
    ["gKE", "xE", "gxKE", "x", ""],
    ["xE", "xE", "xE", "", ""],
    ["AKE", "xE", "AKE", "", ""],
    ["KEg", "gE", "KEg", "", ""],
    ["AKE", "aE", "AKE", "", ""],
    ["AK", "xE", "AKE", "E", "nocr"],
    ["AKE", "Em", "AKEm", "m", "nocr"],
    ["AKE", "nE", "AnKE", "n", "ocr"],
    ["AnKE", "Em", "AnKEm", "m", "ocr"],
    ["$nKE", "x", "$xnKE", "x", ""],
    ["$KE", "AK", "AKE", "A", ""],
    ["gqKE", "x", "gxKEq", "x", ""],
    ["AaKE", "m", "AKEm", "m", "nocr"],
    ["g$lshzxetdK", "Aa", "g$lshzxetdaK", "a", ""],
  ];
  for (const [configured, needed, flags, added, unsure] of rows) {
    assertEquals(
      mergeFlags(configured, needed),
      { flags, added, unsure },
      `${configured} + ${needed}`,
    );
  }
});

Deno.test("merging keeps every letter, leaves nothing missing and then has nothing to add", () => {
  const letters = fc.subarray([..."g$lshzxetdanocrKEmSTIVqZA"]).map((array) => array.join(""));
  fc.assert(
    fc.property(letters, letters, (configured, needed) => {
      const { flags, added, unsure } = mergeFlags(configured, needed);
      const inForce = parseFlags(flags);
      if (flags.includes("A")) inForce.add("a");
      for (const letter of [...parseFlags(configured), ...parseFlags(needed)]) {
        assertEquals(inForce.has(letter), true, `${letter} of ${flags}`);
      }
      assertEquals(mergeFlags(flags, needed).added, "");
      assertEquals(added === "" && (flags !== configured || unsure !== ""), false);
      for (const letter of unsure) assertEquals(flags.includes(letter), false);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("letters that a server does not know, by what it calls itself", () => {
  const rows: [
    software: string | null,
    version: string | null,
    letters: string,
    unknown: string,
  ][] = [
    ["redis", "2.8.9", "AKEg$lshzxe", ""],
    ["redis", "2.8.9", "tmd", "tmd"],
    ["redis", "6.0.20", "tmd", "d"],
    ["redis", "6.2.14", "Kn", "n"],
    ["redis", "7.0.15", "Kn", ""],
    ["redis", "8.0.2", "Kocn", "oc"],
    ["redis", "8.2.0", "Koc", ""],
    ["redis", "8.6.3", "hITSVaoc", "aITSV"],
    ["redis", "8.8.0", "hITSVaoc", ""],
    ["redis", "8.8.0-rc1", "hI", ""],
    ["redis", "10.0.0", "ocaSTIVn", ""],
    ["redis", "255.255.255", "ocaSTIVnr", ""],
    ["redis", "10.0.0", "r", "r"],
    ["valkey", "7.2.4", "nmdt", ""],
    ["valkey", "9.1.2", "nocSTIVar", "ocaSTIVr"],
    ["redict", "7.3.6", "nocSTIVar", "ocaSTIVr"],
    // What these know is unknown.
    ["valkey", "10.0.0", "ocS", ""],
    ["redict", "8.0.0", "ocS", ""],
    ["constructor", "1.0.0", "ocS", ""],
    ["dragonfly", "1.0.0", "nocS", ""],
    ["other", "0.9.0", "nocS", ""],
    ["redis", "unstable", "nocS", ""],
    ["redis", null, "nocS", ""],
    [null, "7.0.15", "nocS", ""],
    [null, null, "nocS", ""],
  ];
  for (const [software, version, letters, unknown] of rows) {
    const server = { software, version };
    const sorted = (text: string) => [...text].toSorted().join("");
    const what = `${software} ${version}`;
    assertEquals(sorted(unknownFlags(letters, server)), sorted(unknown), what);
    assertEquals(
      sorted(knownFlags(letters, server)),
      sorted([...letters].filter((letter) => !unknown.includes(letter)).join("")),
      what,
    );
  }
  assertEquals(["n", "oc", "co", "nS", "aS", "r"].map(sinceWhen), [
    "Redis 7.0",
    "Redis 8.2",
    "Redis 8.2",
    "Redis 8.8",
    "Redis 8.8",
    "a development version of Redis",
  ]);
  assertEquals(sinceWhen("AKE"), null);
});

Deno.test("what a server does not know it neither sends nor hides", () => {
  const old = { software: "redis", version: "7.0.15" };
  const unknown = { software: "other", version: "7.0.15" };
  const replaced = new KeyeventChannel("overwritten");
  assertEquals(missingOn(old, "AKE", replaced), {
    present: "E",
    missing: "o",
    unknown: "",
    foreign: "o",
    settable: "",
    canReceive: false,
  });
  assertEquals(missingOn(unknown, "AKE", replaced).canReceive, true);
  assertEquals(missingOn(old, "AKE", new KeyeventChannel("new")).unknown, "n");
  assertEquals(canEverReceive(old, "", new KeyeventChannel("new")), true);
  assertEquals(canEverReceive(old, "", new SubkeyspaceChannel("h")), false);
  // It has it set, so it knows it.
  assertEquals(canEverReceive(old, "hS", new SubkeyspaceChannel("h")), true);
  // Something else comes on these.
  for (const channel of ["__*@0__:*", "__keyevent@0__:*", "__key*__:*"]) {
    assertEquals(canEverReceive(old, "", channel), true, channel);
    assertEquals(canEverReceive({ software: "redis", version: "2.8.0" }, "", channel), true);
  }
});
