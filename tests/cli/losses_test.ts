import { assertEquals } from "@std/assert";
import { Losses } from "../../cli/losses.ts";
import type { NodeState, NodeStatus } from "../../mod.ts";

function node(name: string, state: NodeState, id?: string): NodeStatus {
  return { node: name, state, error: "reset", ...(id === undefined ? {} : { id }) } as NodeStatus;
}

Deno.test("each loss is told of once, whatever else changes meanwhile", () => {
  const losses = new Losses();
  assertEquals(losses.newIn([node("a:1", "ready"), node("b:1", "ready")]), []);
  assertEquals(losses.newIn([node("a:1", "ready"), node("b:1", "reconnecting")]), [
    "lost b:1: reset; coming back",
  ]);
  assertEquals(losses.newIn([node("a:1", "reconnecting"), node("b:1", "reconnecting")]), [
    "lost a:1: reset; coming back",
  ]);
  assertEquals(losses.newIn([node("a:1", "reconnecting"), node("b:1", "ready")]), []);
  assertEquals(losses.newIn([node("a:1", "reconnecting"), node("b:1", "reconnecting")]), [
    "lost b:1: reset; coming back",
  ]);
});

Deno.test("a node of a cluster is the same under another name", () => {
  const losses = new Losses();
  assertEquals(losses.newIn([node("a:1", "reconnecting", "x")]).length, 1);
  assertEquals(losses.newIn([node("a.test:1", "reconnecting", "x")]), []);
});
