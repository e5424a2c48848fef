import { formatMarkdown } from "../../dev/docs/markdown.ts";
import { describeEvent, EventType } from "../../events/mod.ts";
import { CORPUS } from "./corpus.ts";
import type { ServerObservations } from "./observe.ts";

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const code = (text: string) => `\`${text}\``;

/** `docs/servers.md`, from what the servers of the matrix did. */
export function serversDocument(servers: readonly ServerObservations[]): Promise<string> {
  const names = servers.map(({ name }) => name);
  const seen = CORPUS.map(([label, ...steps]) => ({
    label,
    steps: steps.map((step) => step.startsWith("~") ? `(wait for ${step.slice(1)})` : step),
    events: servers.map((server) => {
      const { events, unknown } = server.commands.get(label)!;
      return unknown ? null : events.map(code).join(", ") || "nothing";
    }),
  }));
  const known = (events: (string | null)[]) => events.filter((one) => one !== null);
  const same = seen.filter(({ events }) => new Set(known(events)).size === 1);
  const different = seen.filter((one) => !same.includes(one));

  return formatMarkdown(`# What the servers do

\`deno task docs:servers\` writes this page. It runs each command below on an empty server with all
flags on, and records the events in their order. The servers are
${names.slice(0, -1).join(", ")} and ${names.at(-1)}. What Redis 8.8 adds is known from its source.

## Where servers differ

A dash means that the server does not have the command, or not in this form.

${
    table(
      ["command", ...names],
      different.map(({ label, events }) => [label, ...events.map((one) => one ?? "—")]),
    )
  }

\`EXPIRE\` and \`GETEX\` delete a key at once if the deadline is in the past. Redis and Redict then emit
\`del\`, and Valkey emits \`expired\`. For the fields of a hash these are \`hdel\` and \`hexpired\`.
\`overwritten\` and \`type_changed\`, with the flags \`o\` and \`c\`, exist since Redis 8.2.

## Flags

The table shows what \`CONFIG GET notify-keyspace-events\` returns after a \`CONFIG SET\`. A dash means
an error: the server does not know one of the letters, and sets none of them.

${
    table(
      ["set", ...names],
      [...servers[0]!.flags.keys()].map((given) => [
        code(given),
        ...servers.map(({ flags }) => {
          const answer = flags.get(given);
          return answer === null ? "—" : code(answer!);
        }),
      ]),
    )
  }

If all classes of \`A\` are on, the server does not print \`n\`, \`o\` and \`c\`, although they are on.
Setting the printed value again turns them off.

## Events

${
    table(
      ["event", "flag", "servers", "emitted by"],
      Object.values(EventType).map((event) => {
        const { class: letter, servers, commands } = describeEvent(event);
        const all = servers.length === describeEvent("set").servers.length;
        return [code(event), code(letter!), all ? "all" : servers.join(", "), commands.join(", ")];
      }),
    )
  }

A write that creates a key also emits \`new\`. A write that removes the last element of a key also
emits \`del\`.

## Commands

These commands emit the same events on all servers that have them. The events are those of the last
step. The steps before it prepare the server.

${
    table(
      ["command", "steps", "events", "not on"],
      same.map(({ label, steps, events }) => [
        label,
        steps.map(code).join(", "),
        known(events)[0]!,
        names.filter((_, i) => events[i] === null).join(", "),
      ]),
    )
  }
`);
}
