import type { ModelCluster } from "./cluster.ts";
import type { ModelNode } from "./node.ts";

/** How a replica takes over. */
export type FailoverKind = "orderly" | "takeover" | "kill" | "hang";

/** How long a node may be silent until the others count it as failed, in ms. */
const NODE_TIMEOUT = 1_500;

/** A replica of a node that can take over from it. */
export function replicaOf(cluster: ModelCluster, primary: ModelNode): ModelNode | null {
  return cluster.nodes.find((node) =>
    node.isAlive && !node.isStopped && node.primaries.get(node) === primary
  ) ?? null;
}

/**
 * Has a replica take over from its primary: `CLUSTER FAILOVER`, with or without the primary's
 * agreement, or because the primary was killed, or hangs for some seconds. A node that was killed is
 * started again as a replica.
 *
 * @param longer how much longer a primary hangs than usual, in ms
 */
export function* failOver(
  cluster: ModelCluster,
  primary: ModelNode,
  kind: FailoverKind,
  longer: number = 0,
): Generator<number, void> {
  const replica = replicaOf(cluster, primary);
  if (replica === null) return;
  cluster.note(`${primary.port}: failover, ${kind}`);
  const { clock, history } = cluster;
  let from = clock.epoch;
  /** Notes how long no client could write, and has the replica take over if it still can. */
  const promote = () => {
    const { port } = primary;
    history.outages.push({ port, from, to: clock.epoch, stream: port });
    if (replica.isAlive && replica.follows(primary)) replica.promote();
  };
  if (kind === "orderly") {
    while (primary.isStopped) yield 1;
    from = clock.epoch;
    primary.writesWait = [];
    do yield 1; while (primary.replicating > 0);
    promote();
    yield 2_000;
    // The primary was demoted meanwhile, or gives up waiting for that.
    const waiting = primary.writesWait;
    primary.writesWait = null;
    waiting?.forEach((wake) => wake());
    return;
  }
  if (kind === "kill") kill(primary);
  if (kind === "hang") primary.stop();
  if (kind !== "takeover") {
    yield NODE_TIMEOUT + 500 + cluster.random.below(1_000);
    for (const node of cluster.nodes) if (node !== primary) node.failed.add(primary);
    yield cluster.random.below(200);
  }
  promote();
  yield 500 + cluster.random.below(2_000);
  if (kind === "hang") {
    if (longer > 0) yield longer;
    primary.release();
    // What it executes is undone, and perhaps no connection to it is open.
    cluster.noteOutage(replica, 0);
  }
  if (kind === "kill") revive(primary, replica);
}

function kill(node: ModelNode): void {
  node.isAlive = false;
  for (const session of [...node.sessions]) session.end("reset");
  node.importing.clear();
  node.migrating.clear();
  node.exports.clear();
  node.slotsWait.clear();
}

function revive(node: ModelNode, primary: ModelNode): void {
  node.isAlive = true;
  node.moves = [];
  for (const [one, epoch] of primary.epochs) node.epochs.set(one, epoch);
  for (const [one, its] of primary.primaries) node.primaries.set(one, its);
  for (const [slot, owner] of primary.owners) node.owners.set(slot, owner);
  node.primaries.set(node, primary);
  node.follow(primary);
  for (const other of node.cluster.nodes) other.failed.delete(node);
}
