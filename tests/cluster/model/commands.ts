import type { ModelNode } from "./node.ts";
import { type Answer, Failure, Fields, Status, Verbatim } from "./reply.ts";

const OK = new Status("OK");

/** What a node answers to a command that is not of pub/sub. */
export function answerCommand(
  node: ModelNode,
  name: string,
  words: readonly string[],
  protocol: 2 | 3,
): Answer {
  const { profile } = node.cluster;
  switch (name) {
    case "HELLO":
      return new Fields([
        ["server", profile.software],
        ["version", profile.version],
        ["proto", protocol],
        ["id", 1],
        ["mode", "cluster"],
        ["role", node.isPrimary ? "master" : "replica"],
        ["modules", []],
      ]);
    case "AUTH":
    case "ASKING":
    case "CLIENT":
    case "READONLY":
      return OK;
    case "SELECT":
      return words[0] === "0" ? OK : new Failure("ERR SELECT is not allowed in cluster mode");
    case "PING":
      return new Status("PONG");
    case "ROLE":
      return role(node);
    case "INFO":
      return new Verbatim(info(node, words[0]?.toLowerCase() ?? ""));
    case "CONFIG":
      return new Fields([["notify-keyspace-events", node.flags]]);
    case "CLUSTER":
      return cluster(node, words);
    default:
      return unknown(`command '${name}', with args beginning with: `);
  }
}

function unknown(what: string): Failure {
  return new Failure(`ERR unknown ${what}`);
}

function role(node: ModelNode): Answer {
  const primary = node.primaries.get(node);
  const { offset } = node.replication;
  if (primary == null) {
    const replicas = node.cluster.nodes.filter((one) => one.isAlive && one.follows(node));
    const lines = replicas.map((one) => ["127.0.0.1", `${one.port}`, `${one.replication.offset}`]);
    return ["master", offset, lines];
  }
  return ["slave", "127.0.0.1", primary.port, primary.isAlive ? "connected" : "connect", offset];
}

function info(node: ModelNode, section: string): string {
  const { profile: { software, version } } = node.cluster;
  const texts: Record<string, string> = {
    server: `# Server\r\nredis_version:${software === "redis" ? version : "7.2.4"}\r\n` +
      `server_name:${software}\r\nvalkey_version:${version}\r\n` +
      `redis_mode:cluster\r\nrun_id:${node.id}\r\n`,
    replication: `# Replication\r\nrole:${node.isPrimary ? "master" : "slave"}\r\n` +
      `master_replid:${node.replication.id}\r\n` +
      `master_replid2:${node.formerReplication.id}\r\n` +
      `master_repl_offset:${node.replication.offset}\r\n` +
      `second_repl_offset:${node.formerReplication.offset}\r\n`,
    commandstats: `# Commandstats\r\ncmdstat_set:calls=1,usec=1\r\n` +
      (node.flushes > 0 ? `cmdstat_flushall:calls=${node.flushes},usec=1\r\n` : ""),
    keyspace: keyspace(node),
  };
  return texts[section] ?? "";
}

function keyspace(node: ModelNode): string {
  const expires = [...node.keys.values()].filter(({ expiresAt }) => expiresAt !== null).length;
  if (node.keys.size === 0) return "# Keyspace\r\n";
  return `# Keyspace\r\ndb0:keys=${node.keys.size},expires=${expires},avg_ttl=0\r\n`;
}

function cluster(node: ModelNode, [subcommand = "", ...words]: readonly string[]): Answer {
  const { profile } = node.cluster;
  const name = subcommand.toUpperCase();
  switch (name) {
    case "MYID":
      return node.id;
    case "SHARDS":
      return shards(node);
    case "SLOTS":
      return slots(node);
    case "NODES":
      return new Verbatim(nodes(node));
    case "INFO":
      return new Verbatim(
        `cluster_state:ok\r\ncluster_known_nodes:${node.epochs.size}\r\n` +
          `cluster_current_epoch:${Math.max(...node.epochs.values())}\r\n` +
          `cluster_my_epoch:${node.epochs.get(node)}\r\n`,
      );
    case "COUNTKEYSINSLOT":
      return node.keysOf(Number(words[0])).length;
    case "GETKEYSINSLOT":
      return node.keysOf(Number(words[0])).slice(0, Number(words[1]));
    case "SLOT-STATS": {
      if (!profile.hasSlotStats) break;
      const [first, last] = [Number(words[1]), Number(words[2])];
      return ownedBy(node, node).filter((slot) => first <= slot && slot <= last)
        .map((slot) => [slot, new Fields([["key-count", node.keysOf(slot).length]])]);
    }
    case profile.atomic?.command: {
      const { command, words: wanted, row } = profile.atomic!;
      if (words.length !== wanted.length) {
        const whole = `cluster|${command.toLowerCase()}`;
        return new Failure(`ERR wrong number of arguments for '${whole}' command`);
      }
      return node.moves.map((move) => row(move, ranges(move.slots).join(" ")));
    }
  }
  return unknown(`subcommand '${subcommand}'. Try CLUSTER HELP.`);
}

function ownedBy(node: ModelNode, owner: ModelNode): number[] {
  if (node === owner && !node.isPrimary) return [];
  return [...node.owners].filter(([, one]) => one === owner).map(([slot]) => slot)
    .sort((a, b) => a - b);
}

/** As `5-5`, which is how a single slot is listed. */
function ranges(slots: readonly number[]): string[] {
  return spans(slots).map(([first, last]) => `${first}-${last}`);
}

function spans(slots: readonly number[]): [first: number, last: number][] {
  const found: [number, number][] = [];
  for (const slot of [...slots].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last?.[1] === slot - 1) last[1] = slot;
    else found.push([slot, slot]);
  }
  return found;
}

/** The primaries that a node knows, each with its replicas. */
function known(node: ModelNode): [primary: ModelNode, members: ModelNode[]][] {
  const { nodes } = node.cluster;
  return nodes.filter((one) => node.primaries.get(one) === null).map((primary) => [
    primary,
    nodes.filter((one) => one === primary || node.primaries.get(one) === primary),
  ]);
}

function shards(node: ModelNode): Answer {
  return known(node).map(([primary, members]) =>
    new Fields([
      ["slots", spans(ownedBy(node, primary)).flat()],
      [
        "nodes",
        members.map((member) =>
          new Fields([
            ["id", member.id],
            ["port", member.port],
            ["ip", "127.0.0.1"],
            ["endpoint", "127.0.0.1"],
            ["role", member === primary ? "master" : "replica"],
            ["replication-offset", member.replication.offset],
            ["health", node.failed.has(member) ? "fail" : "online"],
          ])
        ),
      ],
    ])
  );
}

function slots(node: ModelNode): Answer {
  const address = ({ id, port }: ModelNode) => ["127.0.0.1", port, id, []];
  return known(node).flatMap(([primary, members]) => {
    const listed = [...members].sort((a) => (a === primary ? -1 : 1))
      .filter((member) => !node.failed.has(member)).map(address);
    return spans(ownedBy(node, primary)).map((span) => [...span, ...listed]);
  });
}

function nodes(node: ModelNode): string {
  return node.cluster.nodes.map((one) => {
    const primary = node.primaries.get(one);
    const flags = [
      ...(one === node ? ["myself"] : []),
      primary == null ? "master" : "slave",
      ...(node.failed.has(one) ? ["fail"] : []),
    ];
    const owned = primary == null
      ? spans(ownedBy(node, one)).map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`))
      : [];
    const moving = one === node
      ? [
        ...Array.from(node.migrating, ([slot, { id }]) => `[${slot}->-${id}]`),
        ...Array.from(node.importing, ([slot, { id }]) => `[${slot}-<-${id}]`),
      ]
      : [];
    const head = [
      one.id,
      `127.0.0.1:${one.port}@${one.port + 10_000}`,
      flags.join(","),
      primary?.id ?? "-",
      0,
      0,
      node.epochs.get(one),
      "connected",
    ];
    return `${[...head, ...owned, ...moving].join(" ")}\n`;
  }).join("");
}
