import type { HeldEvent, NodeState } from "./node_state.ts";

/**
 * Finds out with which event of the same command this one shares its verdict, or may: a key that is
 * restored is `new` and then `restore`, and only the `restore` tells where it came from. What comes
 * after it, `overwritten` or `type_changed`, may also be the next command's, which has it in front.
 */
export function follow(node: NodeState, event: HeldEvent): void {
  if (event.type !== "new" && event.type !== "restore") return endCommand(node);
  if (node.followers[0]?.key !== event.key) endCommand(node);
  if (event.type === "new") {
    event.awaitsLeader = true;
    node.followers.push(event);
    return;
  }
  for (const follower of node.followers) {
    // Those on another kind of channel follow the `restore` on theirs.
    if (follower.kind === event.kind) follower.leader ??= event;
  }
}

/** The next event is of another command, whatever it is. */
export function endCommand(node: NodeState): void {
  for (const follower of node.followers) follower.awaitsLeader = false;
  if (node.followers.length > 0) node.followers = [];
}
