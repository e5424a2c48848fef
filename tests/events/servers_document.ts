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

This page is written by \`deno task docs:servers\`, which runs each command below on an empty server
with all flags on, and notes the events in their order. The servers are
${names.join(", ")}. What Redis 8.8 adds is known from its source.

## Where servers differ

A dash stands for a server that does not have the command, or not in this form.

${
    table(
      ["command", ...names],
      different.map(({ label, events }) => [label, ...events.map((one) => one ?? "—")]),
    )
  }

With a deadline in the past a key is deleted at once, by EXPIRE or GETEX, and Redis says \`del\` where Valkey
says \`expired\`; with the fields of a hash it is \`hdel\` and \`hexpired\`. \`overwritten\` and
\`type_changed\`, with the flags \`o\` and \`c\`, come from Redis 8.2 on.

## Flags

What \`CONFIG GET notify-keyspace-events\` answers after a \`CONFIG SET\`. A dash stands for an error:
one letter that the server does not know, and none of the others is set.

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

Once all that \`A\` stands for is on, \`n\`, \`o\` and \`c\` are in force and not printed. Whoever sets
the printed value again turns them off.

## Events

${
    table(
      ["event", "flag", "servers", "comes from"],
      Object.values(EventType).map((event) => {
        const { class: letter, servers, commands } = describeEvent(event);
        return [code(event), code(letter!), servers.join(", "), commands.join(", ")];
      }),
    )
  }

A write that creates a key also emits \`new\`, and one that takes the last of a key \`del\`.

## Commands

The same on all servers that have the command. The last step is what was looked at; those before it
make ready.

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
