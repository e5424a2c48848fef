import { ClusterKeyspaceNotifications, connect, formatAddress } from "../mod.ts";
import type { Arguments, Command, Context } from "./command.ts";
import { CONNECTION, connectOptions, readTarget } from "./connection.ts";
import type { Checkup } from "./doctor/checkup.ts";
import { examineCluster, planNodes } from "./doctor/cluster.ts";
import type { Finding, Level, Section } from "./doctor/finding.ts";
import { examineNode } from "./doctor/node.ts";
import { doubtsOf } from "./doubts.ts";
import { messageOf } from "./message.ts";
import type { Output } from "./output.ts";
import { ConnectTurns } from "../pubsub/connect_turns.ts";
import { printable } from "../pubsub/connection/printable.ts";
import { SELECTION, Selection } from "./selection.ts";
import type { Style } from "./style.ts";
import { toLine } from "./watch/json_format.ts";
import { wrap } from "./wrap.ts";

/** The command that says why nothing arrives. */
export const doctor: Command = {
  summary: "says why nothing arrives, and how to fix it",
  usage: "doctor [pattern…] [--event NAME] [--probe] [options]",
  about: [
    "Says why nothing arrives. It connects to the server, or to each node of the cluster, and " +
    "checks its version, role and protocol, notify-keyspace-events against what is asked for, " +
    "the right to subscribe, whether flushes can be observed, the limits of its output buffers, " +
    "and in a cluster whether every slot has an owner. For what is wrong it gives the command " +
    "that fixes it. Nothing is changed.",
    "The exit status is 1 when something is wrong.",
  ],
  groups: [
    SELECTION,
    {
      title: "What to do",
      options: {
        probe: {
          type: "boolean",
          help: "also sets a key of its own, keywatch:probe:…, on every primary, waits for its " +
            "notification, and deletes the key",
        },
        json: { type: "boolean", help: "prints one object with all findings, for programs" },
      },
    },
    CONNECTION,
  ],
  examples: [
    "keywatch doctor",
    "keywatch doctor --probe -u redis://10.0.0.5",
    "keywatch doctor 'user:*' --event expired --probe",
  ],

  async run(args: Arguments, { output, signal }: Context): Promise<number> {
    const target = await readTarget(args);
    const selection = Selection.read(args, target.db);
    const checkup: Checkup = { target, selection, probe: args.has("probe"), signal };
    const doubts = doubtsOf(selection).map((text): Finding => {
      return { level: "warning", topic: "event", text, fix: [] };
    });
    const isJson = args.has("json");
    if (!isJson) {
      const where = target.db === "*" ? "all databases" : `database ${target.db}`;
      const head = `What should come: ${printable(`${selection}`)}, ${where}`;
      for (const line of wrap(head, "", output.width)) output.line(line);
      showFindings(doubts, output);
    }
    try {
      const sections = await examine(checkup, (section) => {
        if (!isJson) showSection(section, output);
      });
      const all = [...doubts, ...sections.flatMap(({ findings }) => findings)];
      if (!isJson) return showVerdict(all, checkup, output);
      const report = toReport(doubts, sections, checkup);
      output.line(toLine(report));
      return report.ok ? 0 : 1;
    } catch (error) {
      if (signal.aborted) return 0;
      throw error;
    }
  },
};

/** All findings, for programs. */
function toReport(doubts: readonly Finding[], sections: readonly Section[], checkup: Checkup) {
  const { patterns, events, fields } = checkup.selection;
  const shown = (findings: readonly Finding[]) =>
    findings.map(({ level, topic, text, fix }) => ({ level, topic, text, fix }));
  const all = [...doubts, ...sections.flatMap(({ findings }) => findings)];
  return {
    ok: !all.some(({ level }) => level === "wrong"),
    database: checkup.target.db,
    patterns,
    events,
    fields,
    findings: shown(doubts),
    servers: sections.map(({ title, findings }) => ({ server: title, findings: shown(findings) })),
  };
}

/** How many nodes of a cluster are examined at the same time; of one address, one. */
const MOST_AT_ONCE = 100;

/** Looks at everything there is, and shows it in order, as soon as it is known. */
async function examine(checkup: Checkup, show: (section: Section) => void): Promise<Section[]> {
  const { target, signal } = checkup;
  let topology;
  try {
    const notifications = await connect(target.url, {
      ...connectOptions(target),
      clientName: "keywatch-doctor",
      flags: "ignore",
      quiet: true,
      onError() {},
      onWarning() {},
      signal,
    });
    if (notifications instanceof ClusterKeyspaceNotifications) topology = notifications.topology;
    await notifications.close();
  } catch (error) {
    signal.throwIfAborted();
    const finding: Finding = { level: "wrong", topic: "reached", text: messageOf(error), fix: [] };
    const section = { title: formatAddress(target.address), findings: [finding] };
    show(section);
    return [section];
  }
  const turns = new ConnectTurns(MOST_AT_ONCE);
  const work = topology === undefined
    ? [examineNode({ address: target.address, role: null, slots: null }, checkup)]
    : [
      examineCluster(topology, checkup),
      ...planNodes(topology, checkup).map((plan) => {
        // One for each node, because Node warns when many listen to one signal.
        const own = AbortSignal.any([signal]);
        return turns.run(plan.address, own, () => examineNode(plan, { ...checkup, signal: own }));
      }),
    ];
  const sections: Section[] = [];
  const told = new Set<string>();
  // A failure while another check is awaited is reported when its turn comes.
  for (const one of work) one.catch(() => {});
  for (const one of work) {
    const section = tellOnce(await one, told);
    show(section);
    sections.push(section);
  }
  return sections;
}

/** Long advice that was given for another node is not given again. */
function tellOnce({ title, findings }: Section, told: Set<string>): Section {
  return {
    title,
    findings: findings.map((finding) => {
      const advice = finding.fix.join("\n");
      if (finding.fix.length < 2 || !told.has(advice)) {
        told.add(advice);
        return finding;
      }
      return { ...finding, fix: ["fixed as above"] };
    }),
  };
}

const MARKS: Readonly<Record<Level, readonly [mark: string, style: Style]>> = {
  right: ["✓", "green"],
  wrong: ["✗", "red"],
  warning: ["!", "yellow"],
  unknown: ["?", "yellow"],
};

const TOPIC_WIDTH = "subscribing".length;
const INDENT = " ".repeat(TOPIC_WIDTH + 5);
const MEND_INDENT = " ".repeat(6);

function showSection({ title, findings }: Section, output: Output): void {
  output.line("");
  output.line(output.paint("bold", printable(title)));
  showFindings(findings, output);
}

function showFindings(findings: readonly Finding[], output: Output): void {
  for (const { level, topic, text, fix } of findings) {
    const [mark, style] = MARKS[level];
    const [first, ...rest] = wrap(printable(text), INDENT, output.width);
    const head = `${output.paint(style, mark)} ${output.paint("gray", topic.padEnd(TOPIC_WIDTH))}`;
    output.line(`  ${head} ${first!.trimStart()}`);
    for (const line of rest) output.line(line);
    for (const line of fix) showMend(printable(line), output);
  }
}

/** A command in one piece, so that it can be copied; words in lines. */
function showMend(text: string, output: Output): void {
  if (text.startsWith("$ ")) output.line(`${MEND_INDENT}${output.paint("cyan", text)}`);
  else for (const line of wrap(text, MEND_INDENT, output.width)) output.line(line);
}

function showVerdict(findings: readonly Finding[], checkup: Checkup, output: Output): number {
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const wrong = count("wrong");
  const rest = [
    ...(count("warning") > 0
      ? [plural(count("warning"), "thing is", "things are") + " worth a look"]
      : []),
    ...(count("unknown") > 0
      ? [plural(count("unknown"), "thing", "things") + " could not be checked"]
      : []),
  ];
  const more = rest.length === 0 ? "" : `; ${rest.join(", ")}`;
  output.line("");
  const show = (style: Style, verdict: string, rest: string) => {
    const [first, ...lines] = wrap(verdict + rest, "", output.width);
    // The verdict is short: it stands in the first line.
    output.line(output.paint(style, verdict) + first!.slice(verdict.length));
    for (const line of lines) output.line(line);
  };
  if (wrong > 0) {
    show(["bold", "red"], `${plural(wrong, "thing is", "things are")} wrong`, more);
    return 1;
  }
  const hint = checkup.probe ? "" : "; --probe tries it out";
  show(["bold", "green"], "Nothing is wrong that can be seen", more + hint);
  return 0;
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
