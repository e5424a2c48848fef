import { assertEquals } from "@std/assert";
import { Losses } from "../../cli/losses.ts";
import type { NodeState, NodeStatus } from "../../mod.ts";

function node(name: string, state: NodeState, id?: string, since = 0): NodeStatus {
  return {
    node: name,
    state,
    since,
    error: "reset",
    ...(id === undefined ? {} : { id }),
  } as NodeStatus;
}

Deno.test("each loss is reported once, whatever else changes meanwhile", () => {
  const losses = new Losses();
  assertEquals(losses.newIn([node("a:1", "ready"), node("b:1", "ready")]), []);
  assertEquals(losses.newIn([node("a:1", "ready"), node("b:1", "reconnecting")]), [
    "lost b:1: reset; reconnecting",
  ]);
  assertEquals(losses.newIn([node("a:1", "reconnecting"), node("b:1", "reconnecting")]), [
    "lost a:1: reset; reconnecting",
  ]);
  assertEquals(losses.newIn([node("a:1", "reconnecting"), node("b:1", "ready")]), [
    "b:1 is back after 0.0 s",
  ]);
  assertEquals(losses.newIn([node("a:1", "reconnecting"), node("b:1", "reconnecting")]), [
    "lost b:1: reset; reconnecting",
  ]);
});

Deno.test("a node of a cluster is the same under another name", () => {
  const losses = new Losses();
  assertEquals(losses.newIn([node("a:1", "reconnecting", "x")]).length, 1);
  assertEquals(losses.newIn([node("a.test:1", "reconnecting", "x")]), []);
});

Deno.test("the end of an outage is reported with how long it was", () => {
  const losses = new Losses();
  assertEquals(losses.newIn([node("a:1", "reconnecting", "x", 1_000)]).length, 1);
  assertEquals(losses.newIn([node("a:1", "connecting", "x", 2_000)]), []);
  assertEquals(losses.newIn([node("a:1", "degraded", "x", 4_200)]), ["a:1 is back after 3.2 s"]);
  assertEquals(losses.newIn([node("a:1", "ready", "x", 5_000)]), []);
});
