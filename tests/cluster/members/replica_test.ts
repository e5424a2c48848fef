import { assertEquals } from "@std/assert";
import { ReplicaLink } from "../../../cluster/members/replica.ts";

Deno.test("a link that is another one, or is missing for long, is reported with its last proof", () => {
  const told: string[] = [];
  const link = new ReplicaLink({
    onCopied: (from) => told.push(`copied since ${from}`),
    onBroken: (from) => told.push(`broken since ${from}`),
  }, 100);
  const say = (reply: string, at: number) => link.probe.onReply(reply, at);
  say("id=7 addr=127.0.0.1:1 age=0 flags=M\n", 10);
  say("id=7 addr=127.0.0.1:1 age=1 flags=M\n", 20);
  say("", 100);
  say("id=7 addr=127.0.0.1:1 age=2 flags=M\n", 120);
  assertEquals(told, []);
  say("id=8 addr=127.0.0.1:1 age=2 flags=M\n", 130);
  assertEquals(told, ["copied since 120"]);
  say("", 230);
  assertEquals(told.length, 1);
  say("", 231);
  assertEquals(told.slice(1), ["broken since 130"]);
});
