import { assertEquals } from "@std/assert";
import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import { replyToText } from "../../resp/types.ts";
import { bytes, decode, show } from "./harness.ts";
import { REPLIES } from "./payloads.ts";

Deno.test("a map is looked up by text, whether its keys are text or bytes", () => {
  const map = new RespMap([1, 2, "a", 3, bytes("字"), 4, "a", 5, bytes("b"), null]);
  assertEquals(map.get("a"), 3);
  assertEquals(map.get("字"), 4);
  assertEquals(map.get("b"), null);
  assertEquals(map.get("c"), undefined);
  assertEquals(map.get("1"), undefined);
  assertEquals(map.get(""), undefined);
  assertEquals(map.size, 5);
  assertEquals([...map], [[1, 2], ["a", 3], [bytes("字"), 4], ["a", 5], [bytes("b"), null]]);
});

Deno.test("the names of an object's own machinery are keys like any other", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assertEquals(new RespMap([]).get(key), undefined);
    assertEquals(new RespMap([bytes(key), 1]).get(key), 1);
  }
});

Deno.test("replyToText makes of a reply what the decoder makes with strings as text", () => {
  for (const { wire, name } of REPLIES) {
    const replies: Reply[] = [];
    decode([wire], {}, { events: [], reply: (it: Reply) => replies.push(it), push() {} } as never);
    const shown = replies.map(show);
    const texts = replies.map((reply) => `reply ${show(replyToText(reply))}`);
    assertEquals(texts, decode([wire], { strings: "text" }), name);
    assertEquals(replies.map(show), shown, `${name} was changed`);
  }
});

Deno.test("replyToText leaves nothing out, however deep", () => {
  let reply: Reply = bytes("x");
  const wrap: ((inner: Reply) => Reply)[] = [
    (inner) => [inner, bytes("a")],
    (inner) => new RespMap([bytes("k"), inner]),
    (inner) => [new ServerError("ERR"), inner, 1n, true, null],
  ];
  for (let i = 0; i < 6000; i++) reply = wrap[i % wrap.length]!(reply);
  let holds = 0;
  const todo: Reply[] = [replyToText(reply)];
  for (let it = todo.pop(); it !== undefined; it = todo.pop()) {
    if (it instanceof Uint8Array) throw new Error("bytes were left");
    if (it === "x") holds++;
    if (Array.isArray(it)) todo.push(...it);
    if (it instanceof RespMap) todo.push(...it.items);
  }
  assertEquals(holds, 1);
});
