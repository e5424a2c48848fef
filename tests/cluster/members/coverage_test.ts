import { assertEquals } from "@std/assert";
import { Coverage, type Gain, type SlotGap } from "../../../cluster/members/coverage.ts";
import type { Takeover } from "../../../cluster/members/succession.ts";
import { formatSlots } from "../../../cluster/discovery/slot.ts";

/** All slots from the first to the last. */
function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

const A = range(0, 8191);
const B = range(8192, 16383);

/** How a node has taken over from an earlier owner. */
function takeover(after: number, isHeir = false): Takeover {
  return { isHeir, after, isEarlier: false, until: Infinity };
}

/** How a node gains slots that has been heard since long ago. */
const HEARD: Gain = {
  heardSince: 0,
  atConnect: false,
  unheardSince: () => null,
  takeover: () => takeover(Infinity),
  provenAt: () => Infinity,
};
/** How a node gains the slots that it owned when it was connected to. */
const CONNECTED: Gain = { ...HEARD, atConnect: true };

/** Two nodes that are heard since 10 and 20, with half of the slots each. */
function covered(): Coverage {
  const coverage = new Coverage();
  assertEquals(coverage.gain("a", A, { ...CONNECTED, heardSince: 10 }, 10), []);
  assertEquals(formatSlots(coverage.slots(true)), "0-8191");
  assertEquals(coverage.gain("b", B, { ...CONNECTED, heardSince: 20 }, 20), []);
  assertEquals(formatSlots(coverage.slots(false)), "");
  return coverage;
}

function tell(gaps: readonly SlotGap[]): string[] {
  return gaps.map(({ nodeId, reason, slots, from, to }) =>
    `${nodeId} ${reason} ${formatSlots(slots)} ${from}-${to}`
  );
}

Deno.test("the slots of a node that is lost and heard again are a gap since its last proof", () => {
  const coverage = covered();
  assertEquals(coverage.lose("a", 100, "disconnected"), []);
  assertEquals(coverage.lose("a", 150, "unresponsive"), []);
  assertEquals(formatSlots(coverage.slots(false)), "0-8191");
  assertEquals(tell(coverage.gain("a", A, { ...CONNECTED, heardSince: 200 }, 200)), [
    "a disconnected 0-8191 100-200",
  ]);
  assertEquals(formatSlots(coverage.slots(false)), "");
});

Deno.test("a node that is found to be lost may have owned a slot before and after its new owner was not heard", () => {
  const whenLost = (from: number) => {
    const coverage = covered();
    const gain = { ...HEARD, heardSince: 200, unheardSince: () => 100, provenAt: () => 90 };
    assertEquals(tell(coverage.gain("b", [1], gain, 300)), ["b topology 1 100-200"]);
    return tell(coverage.lose("a", from, "unresponsive"));
  };
  assertEquals(whenLost(90), ["b topology 1 90-100", "b topology 1 200-300"]);
  assertEquals(whenLost(250), ["b topology 1 250-300"]);
});

Deno.test("slots that a node gains in any order are one gap of ascending ranges", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  assertEquals(coverage.slotsLastOf("a"), A);
  const slots = [8000, 3, 8191, 0, 2, 1, 8190];
  assertEquals(tell(coverage.gain("b", slots, HEARD, 200)), [
    "b topology 0-3,8000,8190-8191 100-200",
  ]);
  assertEquals(coverage.slotsLastOf("a").length, A.length - slots.length);
});

Deno.test("slots of a node that was never heard are missing since they were expected", () => {
  const coverage = new Coverage();
  coverage.expect(A, "a", 5);
  coverage.expect(A, "a", 50);
  assertEquals(tell(coverage.gain("a", A, { ...CONNECTED, heardSince: 80 }, 80)), [
    "a topology 0-8191 5-80",
  ]);
  // What is covered is not expected.
  coverage.expect(A, "b", 90);
  assertEquals(tell(coverage.end(100)), []);
});

Deno.test("a slot that migrates to a node which has been heard all the time is not a gap", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, true, null, 100);
  assertEquals(formatSlots(coverage.slots(false)), "5");
  assertEquals(coverage.gain("b", [5], { ...HEARD, heardSince: 20 }, 110), []);
  assertEquals(formatSlots(coverage.slots(false)), "");
});

Deno.test("a slot that its owner ended while another node is not heard is a gap", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, false, null, 100);
  assertEquals(tell(coverage.gain("b", [5], { ...HEARD, heardSince: 20 }, 110)), [
    "b topology 5 100-110",
  ]);
});

Deno.test("a slot that migrates to a node which is heard later is missing until then", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, true, null, 100);
  assertEquals(tell(coverage.gain("c", [5], { ...CONNECTED, heardSince: 130 }, 130)), [
    "c topology 5 100-130",
  ]);
  // It gained this one only after it was heard.
  coverage.release("a", 6, 140, true, null, 140);
  assertEquals(coverage.gain("c", [6], { ...HEARD, heardSince: 130 }, 150), []);
});

Deno.test("a slot that its owner has ended is a gap once another node is lost, which may have owned it", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, true, null, 100);
  assertEquals(coverage.lose("c", 110, "disconnected"), []);
  assertEquals(tell(coverage.gain("b", [5], { ...HEARD, heardSince: 20 }, 200)), [
    "b topology 5 100-200",
  ]);
});

Deno.test("a slot that its owner ends after another node has said that it owns it is never uncovered", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, true, "b", 100);
  assertEquals(formatSlots(coverage.slots(false)), "");
  coverage.lose("b", 200, "disconnected");
  assertEquals(formatSlots(coverage.slots(false)), "5,8192-16383");
});

Deno.test("what a node may have been sent for slots that migrate to it is a gap while it was not heard", () => {
  assertEquals(tell(covered().miss("b", [5, 6], () => 100, 150)), ["b topology 5-6 100-150"]);
});

Deno.test("the end of a fence counts only at the node that covers the slot", () => {
  const coverage = covered();
  coverage.release("b", 5, 100, true, null, 100);
  assertEquals(formatSlots(coverage.slots(false)), "");
});

Deno.test("slots that a lost node owned and another covers since are missing up to then", () => {
  const coverage = covered();
  assertEquals(coverage.gain("b", [5, 6], HEARD, 110), []);
  // Its last proof is older than that: it may have gone on as the owner, unheard.
  assertEquals(tell(coverage.lose("a", 60, "unresponsive")), ["b topology 5-6 60-110"]);
  assertEquals(formatSlots(coverage.slots(false)), "0-4,7-8191");
  assertEquals(tell(coverage.gain("a", A.slice(7), { ...CONNECTED, heardSince: 200 }, 200)), [
    "a unresponsive 7-8191 60-200",
  ]);
});

Deno.test("slots that another node covered before a lost node's last proof are not gap", () => {
  const coverage = covered();
  coverage.gain("b", [5], HEARD, 110);
  assertEquals(coverage.lose("a", 110, "disconnected"), []);
});

Deno.test("a failover is a gap from where the replica left the old primary's stream", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  const gain: Gain = {
    heardSince: 300,
    atConnect: true,
    unheardSince: () => null,
    takeover: (id) => id === "a" ? takeover(90, true) : takeover(Infinity),
    provenAt: () => Infinity,
  };
  assertEquals(tell(coverage.gain("r", A, gain, 300)), ["r failover 0-8191 90-300"]);
});

Deno.test("what another node owned meanwhile that was replaced is missing since it took over", () => {
  const gained = (since: number) => {
    const coverage = covered();
    coverage.release("a", 5, since, true, null, since);
    const again = () => ({ ...takeover(80), until: 150 });
    return tell(coverage.gain("a", [5], { ...HEARD, heardSince: 150, takeover: again }, 200));
  };
  assertEquals(gained(100), ["a topology 5 80-150"]);
  // It was heard when it lost the slot, so that was later.
  assertEquals(gained(160), []);
});

Deno.test("an heir that was promoted before it was heard may have owned what its primary held on to", () => {
  const coverage = covered();
  coverage.release("a", 5, 300, true, null, 300);
  const heir = () => ({ ...takeover(250, true), isEarlier: true });
  const gain: Gain = { ...HEARD, heardSince: 290, takeover: heir };
  assertEquals(tell(coverage.gain("r", [5, 6], gain, 310)), ["r failover 5-6 250-290"]);
});

Deno.test("slots of a lost node that pass to no heir are missing since its last proof", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  const gain = { ...CONNECTED, heardSince: 300, takeover: () => takeover(40) };
  assertEquals(tell(coverage.gain("c", A, gain, 300)), ["c topology 0-8191 100-300"]);
});

Deno.test("a node that owns another's slots when it is connected to may have had them for long", () => {
  const known = covered();
  const gain: Gain = { ...CONNECTED, heardSince: 300, takeover: () => takeover(250) };
  assertEquals(tell(known.gain("c", [5], gain, 310)), ["c topology 5 250-300"]);
  // Nothing is known of it, and the earlier owner was heard all the time.
  assertEquals(covered().gain("c", [5], { ...gain, takeover: HEARD.takeover }, 310), []);
});

Deno.test("a node that covers in part reports the gap up to now, and the gap goes on", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  assertEquals(tell(coverage.coverInPart([...A, ...B], 200)), ["a disconnected 0-8191 100-200"]);
  assertEquals(formatSlots(coverage.slots(false)), "0-8191");
  assertEquals(tell(coverage.gain("a", A, { ...CONNECTED, heardSince: 300 }, 300)), [
    "a disconnected 0-8191 200-300",
  ]);
});

Deno.test("at the end every open gap is reported, once", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  coverage.release("b", 8192, 120, true, null, 120);
  assertEquals(tell(coverage.end(200)), [
    "a disconnected 0-8191 100-200",
    "b topology 8192 120-200",
  ]);
  assertEquals(coverage.end(300), []);
});

Deno.test("each slot has the node that covers it, or did last, and since when", () => {
  const all = (coverage: Coverage) =>
    coverage.parts().map(({ first, last, nodeId, covered, since }) =>
      `${first}-${last} ${nodeId} ${covered ? "covered" : "uncovered"} ${since}`
    );
  const coverage = new Coverage();
  assertEquals(all(coverage), ["0-16383 null uncovered null"]);
  coverage.gain("a", A, CONNECTED, 20);
  coverage.expect(B, "b", 15);
  assertEquals(all(coverage), ["0-8191 a covered 20", "8192-16383 b uncovered 15"]);
  coverage.gain("b", B, CONNECTED, 30);
  coverage.lose("a", 100, "disconnected");
  assertEquals(all(coverage), ["0-8191 a uncovered 100", "8192-16383 b covered 30"]);
  coverage.gain("a", A, CONNECTED, 120);
  for (const slot of range(10, 8191)) coverage.release("a", slot, 130, true, null, 130);
  coverage.gain("b", range(10, 8191), HEARD, 140);
  assertEquals(all(coverage), [
    "0-9 a covered 120",
    "10-8191 b covered 140",
    "8192-16383 b covered 30",
  ]);
});

Deno.test("what is known of an earlier owner is asked once for all of its slots", () => {
  const coverage = covered();
  coverage.lose("a", 100, "disconnected");
  const asked: string[] = [];
  const gain: Gain = {
    ...CONNECTED,
    heardSince: 200,
    takeover: (nodeId) => {
      asked.push(nodeId);
      return takeover(90, true);
    },
  };
  assertEquals(tell(coverage.gain("c", A, gain, 200)), ["c failover 0-8191 90-200"]);
  assertEquals(asked, ["a"]);
});

Deno.test("what an earlier owner did not deliver is reported once, when its heir is heard", () => {
  const coverage = covered();
  const gain = { ...CONNECTED, heardSince: 200, takeover: () => takeover(90, true) };
  assertEquals(tell(coverage.gain("c", A, gain, 205)), ["c failover 0-8191 90-200"]);
  // It was silent since, and is given up only now.
  assertEquals(coverage.lose("a", 95, "unresponsive"), []);
  const earlier = covered();
  earlier.gain("c", A, gain, 205);
  assertEquals(tell(earlier.lose("a", 80, "unresponsive")), ["c topology 0-8191 80-90"]);
});

Deno.test("slots that migrate to a node, and that it covered last, are reported once", () => {
  const coverage = covered();
  coverage.release("a", 5, 90, true, null, 90);
  coverage.lose("a", 100, "disconnected");
  assertEquals(tell(coverage.miss("a", [5, 9000], () => 100, 200)), ["a topology 9000 100-200"]);
  assertEquals(tell(coverage.gain("a", [5], { ...CONNECTED, heardSince: 200 }, 200)), [
    "a topology 5 90-200",
  ]);
});

Deno.test("slots that changed owners since the last proof of a node that is lost are reported", () => {
  const changed = () => {
    const coverage = covered();
    coverage.release("a", 5, 90, true, null, 90);
    assertEquals(coverage.gain("c", [5], HEARD, 110), []);
    coverage.release("c", 5, 120, true, null, 120);
    assertEquals(coverage.gain("a", [5], HEARD, 130), []);
    return coverage;
  };
  // While others owned it, it cannot have.
  assertEquals(changed().lose("b", 130, "disconnected"), []);
  assertEquals(tell(changed().lose("b", 100, "disconnected")), [
    "c topology 5 100-110",
    "a topology 5 120-130",
  ]);
  assertEquals(tell(changed().lose("b", 50, "disconnected")), [
    "c topology 5 90-110",
    "a topology 5 120-130",
  ]);
  // It has ended its own events in its stream.
  assertEquals(changed().lose("b", 50, "topology", true), []);
  // All nodes have proven since that they were heard.
  const coverage = changed();
  coverage.proven(130);
  assertEquals(coverage.lose("b", 50, "disconnected"), []);
});

Deno.test("what a node may have owned that was not heard when a fence ended is reported", () => {
  const coverage = covered();
  // The new owner said so first.
  assertEquals(coverage.gain("b", [5, 6], HEARD, 110), []);
  for (const slot of [5, 6]) coverage.release("a", slot, 100, false, null, 120);
  assertEquals(tell(coverage.proven(0)), ["b topology 5-6 100-110"]);
  assertEquals(coverage.proven(0), []);
});

Deno.test("the slots of a node that was replaced are not handed over to a node that is heard", () => {
  const coverage = covered();
  for (const slot of [1, 2]) coverage.release("a", slot, 100, true, null, 100);
  coverage.lose("a", 100, "topology", true);
  assertEquals(tell(coverage.gain("b", [1], HEARD, 200)), ["b topology 1 100-200"]);
});

Deno.test("a slot that nobody covers while a primary is replaced may have been its heir's", () => {
  for (const isHeirHeard of [false, true]) {
    const coverage = covered();
    coverage.release("b", 9000, 100, true, null, 100);
    coverage.lose("a", 110, "topology", true, isHeirHeard);
    assertEquals(
      tell(coverage.gain("c", [9000], HEARD, 200)),
      isHeirHeard ? [] : ["c topology 9000 100-200"],
    );
  }
});

Deno.test("what a silent node owned is reported, though the next owner is lost as well", () => {
  const coverage = covered();
  assertEquals(coverage.gain("b", [1], HEARD, 200), []);
  coverage.lose("b", 250, "disconnected");
  assertEquals(tell(coverage.lose("a", 150, "unresponsive")), ["b topology 1 150-200"]);
});

Deno.test("slots that came to a node while it was not heard are missing since it was heard last", () => {
  const coverage = covered();
  coverage.release("a", 5, 150, false, null, 150);
  const gain = { ...CONNECTED, heardSince: 200, unheardSince: () => 120 };
  assertEquals(tell(coverage.gain("c", [5], gain, 200)), ["c topology 5 120-200"]);
  // Nobody was sent to a replica.
  coverage.lose("b", 210, "disconnected");
  const heir = { ...gain, takeover: () => takeover(205, true) };
  assertEquals(tell(coverage.gain("d", [9000], heir, 220)), ["d failover 9000 205-220"]);
});

Deno.test("a node that joined may have been sent clients only once the owner of a slot knew it", () => {
  const unheardSince = (owner: string) => owner === "a" ? 150 : 50;
  const gain = { ...CONNECTED, heardSince: 200, unheardSince };
  assertEquals(tell(covered().gain("c", [5, 9000], gain, 200)), [
    "c topology 5 150-200",
    "c topology 9000 50-200",
  ]);
  assertEquals(tell(covered().miss("c", [5, 9000], unheardSince, 200)), [
    "c topology 5 150-200",
    "c topology 9000 50-200",
  ]);
});

Deno.test("a node that was not heard when it may have taken a slot over leaves a gap until it was", () => {
  const coverage = covered();
  const gain = { ...HEARD, heardSince: 200, unheardSince: () => 50, provenAt: () => 150 };
  assertEquals(tell(coverage.gain("b", [5], gain, 210)), ["b topology 5 50-200"]);
  // Since it is heard, the earlier owner has proven that it still was one.
  assertEquals(coverage.gain("b", [6], { ...gain, provenAt: () => 200 }, 210), []);
});

Deno.test("what followed the gap of a slot that was handed over may be missing of another node", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, true, null, 110);
  const gain = { ...HEARD, heardSince: 120, unheardSince: () => 90 };
  assertEquals(tell(coverage.gain("b", [5], gain, 200)), ["b topology 5 90-120"]);
  assertEquals(tell(coverage.lose("c", 150, "unresponsive")), ["b topology 5 150-200"]);
  assertEquals(tell(coverage.lose("d", 100, "unresponsive")), ["b topology 5 120-150"]);
});

Deno.test("what a node may have owned between two owners is missing of it once it is lost", () => {
  const released = () => {
    const coverage = covered();
    // The new owner says so before the fence of the earlier one ends.
    assertEquals(coverage.gain("b", [5], HEARD, 120), []);
    coverage.release("a", 5, 100, true, null, 130);
    return coverage;
  };
  // Until its end it was heard, and afterwards others may have owned the slot as well as it.
  assertEquals(tell(released().lose("a", 50, "disconnected")), ["b topology 5 100-120"]);
  assertEquals(tell(released().lose("c", 50, "disconnected")), ["b topology 5 100-120"]);
  // The new owner itself is heard.
  assertEquals(released().lose("b", 50, "disconnected"), []);
  const proven = released();
  proven.proven(119);
  assertEquals(tell(proven.lose("c", 50, "disconnected")), ["b topology 5 100-120"]);
  proven.proven(120);
  assertEquals(proven.lose("d", 50, "disconnected"), []);
});

Deno.test("a node that was not heard when a slot passed to a known owner may have owned it meanwhile", () => {
  const coverage = covered();
  coverage.release("a", 5, 100, false, "b", 110);
  assertEquals(tell(coverage.proven(0)), ["b topology 5 100-110"]);
  assertEquals(coverage.proven(0), []);
});
