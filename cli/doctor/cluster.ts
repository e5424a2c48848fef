import {
  type ClusterNode,
  countSlots,
  dialAddress,
  formatSlots,
  type Topology,
} from "../../cluster/discovery/mod.ts";
import { type Address, formatAddress } from "../../mod.ts";
import { messageOf } from "../message.ts";
import { Session } from "../session.ts";
import type { Checkup } from "./checkup.ts";
import { Findings, type Section } from "./finding.ts";
import { redisCli } from "./fixes.ts";
import type { NodePlan } from "./node.ts";

/** How many slots a cluster has. */
const SLOTS = 16_384;

/** Looks whether each slot has an owner, and whether the nodes are well. */
export async function examineCluster(topology: Topology, checkup: Checkup): Promise<Section> {
  const { address } = checkup.target;
  const findings = new Findings();
  const { primaries, uncovered, nodes } = topology;
  const cli = `${redisCli(address, checkup.target)} --cluster`;
  const seed = formatAddress(address);
  if (uncovered.length === 0) {
    const count = primaries.length;
    findings.right(
      "coverage",
      `${count} ${count === 1 ? "primary owns" : "primaries own"} all ${SLOTS} slots`,
    );
  } else {
    findings.wrong(
      "coverage",
      `${countSlots(uncovered)} of ${SLOTS} slots have no owner: ${formatSlots(uncovered)}`,
      `${cli} fix ${seed}`,
    );
  }
  await checkState(checkup, findings);
  const failed = [...nodes.values()].filter(({ health }) => health === "failed");
  if (failed.length > 0) {
    const names = failed.map((node) => nameOf(node)).join(", ");
    findings.warning("nodes", `down, as the others see it: ${names}`, `${cli} check ${seed}`);
  } else findings.right("nodes", `all ${nodes.size} are up, as the one that was asked sees it`);
  const tls = checkup.target.tls !== undefined;
  const hidden = [...nodes.values()].filter((node) => dialAddress(node, { tls }) === null);
  if (hidden.length > 0) {
    findings.wrong(
      "addresses",
      `no address is known for ${hidden.map(({ id }) => id).join(", ")}` +
        (tls ? ", none for TLS at least" : ""),
    );
  }
  return { title: "the cluster", findings: findings.all };
}

async function checkState({ target, signal }: Checkup, findings: Findings): Promise<void> {
  let session: Session | undefined;
  try {
    session = await Session.open(target, signal);
    const info = String(await session.command("CLUSTER", "INFO"));
    const state = session.shown(/^cluster_state:(\w+)/m.exec(info)?.[1]);
    if (state === "ok") findings.right("state", "ok");
    else if (state === null) findings.unknown("state", "CLUSTER INFO does not tell");
    else {findings.wrong(
        "state",
        `cluster_state:${state}: it takes no commands, so nothing happens`,
      );}
  } catch (error) {
    findings.unknown("state", messageOf(error));
  } finally {
    session?.close();
  }
}

/** The nodes to look at: primaries, then the replicas that would take their place. */
export function planNodes(topology: Topology, checkup: Checkup): NodePlan[] {
  const tls = checkup.target.tls !== undefined;
  const plan = (node: ClusterNode, role: "primary" | "replica"): NodePlan[] => {
    const address: Address | null = dialAddress(node, { tls });
    return address === null ? [] : [{ address, role, slots: topology.slotsOf(node.id) }];
  };
  return [
    ...topology.primaries.flatMap((node) => plan(node, "primary")),
    ...topology.primaries.flatMap(({ id }) =>
      topology.replicasOf(id)
        .filter(({ health }) => health !== "failed")
        .flatMap((node) => plan(node, "replica"))
    ),
  ];
}

function nameOf(node: ClusterNode): string {
  const address = dialAddress(node) ?? dialAddress(node, { tls: true });
  return address === null ? node.id : formatAddress(address);
}
