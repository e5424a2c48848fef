import { assertEquals } from "@std/assert";
import {
  describeEvent,
  EventType,
  missingFlags,
  parseFlags,
  printFlags,
} from "../../events/mod.ts";
import { KeyeventChannel } from "../../parse/mod.ts";
import { matrix } from "../servers/mod.ts";
import { CORPUS } from "./corpus.ts";
import { nameOf, observe, type ServerObservations } from "./observe.ts";
import { serversDocument } from "./servers_document.ts";

/** What comes of a command beside the event that is its own. */
const SIDE_EFFECTS = ["del", "new", "keymiss", "overwritten", "type_changed"];

/** Commands that write and are not in the corpus, and why. */
const LEFT_OUT = /^(function|migrate|pfdebug|trimslots|xidmprecord|cluster)(\||$)/;

const observed: ServerObservations[] = [];
for (const binary of await matrix()) {
  const name = nameOf(binary);
  const events = Object.values(EventType).filter((event) =>
    describeEvent(event).servers.includes(name)
  );
  let server: ServerObservations;

  Deno.test(`${name} runs the corpus`, async () => {
    server = await observe(binary);
    observed.push(server);
    for (const [label, { unknown, events }] of server.commands) {
      assertEquals(
        unknown === null || /unknown command|syntax error/.test(unknown),
        true,
        unknown!,
      );
      if (unknown) assertEquals(events, [], label);
    }
  });

  Deno.test(`${name} emits no event that the catalogue does not know of it`, () => {
    for (const [label, { events: seen }] of server.commands) {
      assertEquals(seen.filter((event) => !events.includes(event as "set")), [], label);
    }
  });

  Deno.test(`${name} emits every event that the catalogue knows of it`, () => {
    const seen = new Set([...server.commands.values()].flatMap(({ events }) => events));
    assertEquals(events.filter((event) => !seen.has(event)), []);
    assertEquals(events.length > 60, true);
  });

  Deno.test(`${name} emits no event but those the catalogue has for the command`, () => {
    for (const [label, { events: seen }] of server.commands) {
      if (label.startsWith("a ") || label.includes("in the past")) continue;
      const command = label.replace(/,.*/, "");
      const others = seen.filter((event) =>
        !SIDE_EFFECTS.includes(event) &&
        !describeEvent(event).commands.some((one) => `${command} `.startsWith(`${one} `))
      );
      assertEquals(others, [], label);
    }
  });

  Deno.test(`${name} has no command that writes and is not in the corpus`, () => {
    const known = new Set(CORPUS.map(([label]) => label.toLowerCase().split(/[ ,]/)[0]));
    const others = server.writeCommands.filter((command) =>
      !known.has(command.split("|")[0]!) && !LEFT_OUT.test(command)
    );
    assertEquals(others, []);
  });

  Deno.test(`${name} prints flags in the order that printFlags has, but for what A hides`, () => {
    for (const [given, answer] of server.flags) {
      if (answer === null) continue;
      const shown = printFlags(given);
      assertEquals(answer, shown.includes("A") ? shown.replace(/[noc]/g, "") : shown);
      assertEquals(parseFlags(answer), parseFlags(answer.split("").reverse().join("")));
    }
    // On, and not distinguishable from off.
    assertEquals(server.flags.get("AKEnm"), "AKEm");
    assertEquals(missingFlags("AKEm", new KeyeventChannel("new")).unknown, "n");
    // The letters a server does not know fail the whole of it.
    assertEquals(server.flags.get("AKEq"), null);
  });
}

Deno.test("each command of the catalogue was seen to emit its event on some server", () => {
  for (const event of Object.values(EventType)) {
    const { servers, commands } = describeEvent(event);
    if (!observed.some(({ name }) => servers.includes(name))) continue;
    for (const command of commands.filter((one) => /^[A-Z]/.test(one))) {
      const seen = observed.some((server) =>
        [...server.commands].some(([label, { events }]) =>
          `${label.replace(/,.*/, "")} `.startsWith(`${command} `) && events.includes(event)
        )
      );
      assertEquals(seen, true, `${command} for ${event}`);
    }
  }
});

Deno.test("docs/servers.md is what was seen", async () => {
  const url = new URL("../../docs/servers.md", import.meta.url);
  assertEquals(
    await Deno.readTextFile(url),
    await serversDocument(observed),
    "`deno task docs:servers` updates it",
  );
});
