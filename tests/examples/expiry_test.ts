import { assertEquals } from "@std/assert";
import { claim, closeCoupons, offer } from "../../examples/coupon_closing.ts";
import { addPoints, closeDays } from "../../examples/daily_leaderboard.ts";
import { schedule, work } from "../../examples/delayed_tasks.ts";
import { reportValues, setScheduled, setWithCopy } from "../../examples/expired_values.ts";
import { cancelOrders, placeOrder, settle } from "../../examples/order_timeout.ts";
import { endSessions, logIn } from "../../examples/session_expiry.ts";
import { sleep, until } from "../servers/mod.ts";
import { Stage } from "./stage.ts";

/** Longer than any test. */
const LONG = 600_000;

/** Collects what an example reports, but not that it has caught up. */
function noteIn(list: string[]): (line: string) => void {
  return (line) => {
    if (!line.endsWith("caught up")) list.push(line);
  };
}

Deno.test("session_expiry ends each session once, also what ended in a gap or before it ran", async () => {
  await using stage = await Stage.open("Exg");
  const { url, redis } = stage;
  const ended: string[] = [];
  await logIn(redis, "before", "Ana", LONG);
  await redis.del("session:before");
  const note = noteIn(ended);
  await stage.watch((options) => endSessions(url, redis, note, options));
  await stage.watch((options) => endSessions(url, redis, note, options));
  await until("it has caught up", () => ended.length === 1);

  await logIn(redis, "out", "Ben", LONG);
  await logIn(redis, "over", "Cem", 1);
  await logIn(redis, "stays", "Dee", LONG);
  await redis.del("session:out");
  await until("both are ended", () => ended.length === 3);

  await logIn(redis, "unseen", "Eve", LONG);
  await stage.behindTheirBacks(["DEL", "session:unseen"]);
  await until("the gap is looked at", () => ended.length === 4);
  await sleep(100);
  assertEquals(ended.sort(), [
    "session before is over · Ana was logged out",
    "session out is over · Ben was logged out",
    "session over is over · Cem was logged out",
    "session unseen is over · Eve was logged out",
  ]);
  assertEquals({ ...await redis.hGetAll("sessions") }, { stays: "Dee" });
});

Deno.test("order_timeout cancels what is not paid in time, and nothing else", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis } = stage;
  const cancelled: string[] = [];
  await placeOrder(redis, "early", LONG);
  await redis.del("order:early:unpaid");
  // That of the sorted set is long over then.
  await redis.zAdd("orders:unpaid", { score: 1, value: "early" });
  const note = noteIn(cancelled);
  const cancelledAs = (id: string) => `order ${id} was not paid in time · cancelled`;
  await stage.watch((options) => cancelOrders(url, redis, note, options));
  await stage.watch((options) => cancelOrders(url, redis, note, options));
  await until("it has caught up", () => cancelled.includes(cancelledAs("early")));

  await placeOrder(redis, "paid", LONG);
  assertEquals(await settle(redis, "paid", "paid"), true);
  assertEquals(await settle(redis, "paid", "paid"), false, "an order can be paid once");
  await placeOrder(redis, "open", LONG);
  // Anybody may publish this: the order's time is not over.
  await redis.publish("__keyevent@0__:expired", "order:open:unpaid");
  await placeOrder(redis, "late", 1);
  await until("the late one is cancelled", () => cancelled.includes(cancelledAs("late")));
  assertEquals(await settle(redis, "late", "paid"), false, "a cancelled order cannot be paid");

  await placeOrder(redis, "unseen", 1_000);
  await stage.behindTheirBacks(["DEL", "order:unseen:unpaid"]);
  await until("the gap is looked at", () => cancelled.includes(cancelledAs("unseen")));
  await sleep(100);
  assertEquals(cancelled.sort(), ["early", "late", "unseen"].map(cancelledAs));
  const statuses = await Promise.all(
    ["early", "paid", "open", "late", "unseen"].map((id) => redis.hGet(`order:${id}`, "status")),
  );
  assertEquals(statuses, ["cancelled", "paid", "unpaid", "cancelled", "cancelled"]);
  assertEquals(await redis.zRange("orders:unpaid", 0, -1), ["open"]);
});

Deno.test("coupon_closing closes the door with the key, and settles once", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis } = stage;
  await offer(redis, "SUMMER", 2, LONG);
  const claims = [];
  for (const user of ["Ana", "Ana", "Ben", "Cem"]) claims.push(await claim(redis, "SUMMER", user));
  assertEquals(claims, ["claimed", "claimed before", "claimed", "sold out"]);

  const closed: string[] = [];
  const note = noteIn(closed);
  await stage.watch((options) => closeCoupons(url, redis, note, options));
  await stage.watch((options) => closeCoupons(url, redis, note, options));
  await redis.pExpire("coupon:SUMMER", 100);
  await until("it is closed", () => closed.length === 1);
  assertEquals(await claim(redis, "SUMMER", "Dee"), "closed");

  await offer(redis, "WINTER", 9, LONG);
  await offer(redis, "SPRING", 9, LONG);
  await stage.behindTheirBacks(["DEL", "coupon:WINTER"]);
  await until("the gap is looked at", () => closed.length === 2);
  await sleep(100);
  assertEquals(closed, [
    "coupon SUMMER is closed · claimed by Ana, Ben",
    "coupon WINTER is closed · claimed by nobody",
  ]);
});

Deno.test("delayed_tasks runs each task, again if it fails or its worker dies, and not twice", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis } = stage;
  const done: string[] = [];
  const perform = (task: string) => {
    done.push(task);
    if (task === "fails once" && done.filter((one) => one === task).length === 1) {
      throw new Error("as it should for this test");
    }
  };
  await schedule(redis, "0", "before anybody worked", 1);
  await until("its clock has rung", async () => await redis.exists("task:0") === 0);
  for (const _ of ["one worker", "another"]) {
    await stage.watch((options) => {
      return work(url, redis, perform, () => {}, { lease: 3_000, ...options });
    });
  }
  await until("they have caught up", () => done.length === 1);

  await schedule(redis, "1", "soon", 1);
  await schedule(redis, "2", "later", LONG);
  await schedule(redis, "3", "fails once", 1);
  // As a worker leaves it that died with the task.
  await redis.hSet("tasks", "4", "left by the dead");
  await redis.set("task:4", "taken", { PX: 1 });
  await until("all are done", () => done.length === 5);

  await schedule(redis, "5", "unseen", LONG);
  await stage.behindTheirBacks(["DEL", "task:5"]);
  await until("the gap is looked at", () => done.length === 6);
  await until("nothing is left but what is not due", async () => await redis.hLen("tasks") === 1);
  assertEquals(done.sort(), [
    "before anybody worked",
    "fails once",
    "fails once",
    "left by the dead",
    "soon",
    "unseen",
  ]);
  assertEquals(await redis.keys("task:*"), ["task:2"]);
});

Deno.test("daily_leaderboard closes each day once with its winners", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis } = stage;
  const closed: string[] = [];
  const note = noteIn(closed);
  // A day that will not be over: the whole time since the epoch is in it.
  const length = 10 * Date.now();
  for (const [player, points] of [["Ana", 3], ["Ben", 4], ["Ana", 2], ["Cem", 1], ["Dee", 0]]) {
    await addPoints(redis, player as string, points as number, length);
  }
  await redis.multi().sAdd("leaderboard:days", "-1").zIncrBy("leaderboard:-1", 9, "Eve").exec();
  await stage.watch((options) => closeDays(url, redis, note, options));
  await stage.watch((options) => closeDays(url, redis, note, options));
  await until("it has caught up", () => closed.length === 1);
  assertEquals(await redis.pTTL("leaderboard:0:open") > 0, true, "it ends with its day");

  await redis.pExpire("leaderboard:0:open", 100);
  await until("the day is closed", () => closed.length === 2);
  await addPoints(redis, "Fay", 7, length);
  await stage.behindTheirBacks(["DEL", "leaderboard:0:open"]);
  await until("the gap is looked at", () => closed.length === 3);
  await sleep(100);
  assertEquals(closed, [
    "day -1 is over · winners: Eve (9)",
    "day 0 is over · winners: Ana (5), Ben (4), Cem (1)",
    "day 0 is over · winners: Fay (7), Ana (5), Ben (4)",
  ]);
});

Deno.test("expired_values has the value in all three ways, once, also after a gap", async () => {
  await using stage = await Stage.open("Ex");
  const { url, redis } = stage;
  const ended: string[] = [];
  const note = noteIn(ended);
  await stage.watch((options) => reportValues(url, redis, note, options));
  await stage.watch((options) => reportValues(url, redis, note, options));

  await setWithCopy(redis, "a", "one", 1);
  await setScheduled(redis, "b", "two", 1);
  await setWithCopy(redis, "c", "three", 1, { owner: "Ana" });
  await until("all three have come", () => ended.length === 3);

  const kept: [string, number][] = [];
  for (const [prefix, ttl] of [["gone", LONG], ["stays", LONG]] as const) {
    await setWithCopy(redis, `${prefix}:a`, "one", ttl);
    await setScheduled(redis, `${prefix}:b`, "two", ttl);
    await setWithCopy(redis, `${prefix}:c`, "three", ttl, { owner: "Ben" });
    for (const name of [`copy:${prefix}:a`, `copy:${prefix}:c`]) {
      kept.push([name, await redis.pTTL(name)]);
    }
  }
  for (const [name, ttl] of kept) assertEquals(ttl > LONG, true, `${name} outlives its key`);
  // Its deadline has passed, as its key's has.
  await redis.zAdd("schedule", { score: 1, value: "gone:b" });
  await stage.behindTheirBacks(["DEL", "gone:a", "wake:gone:b", "gone:c"]);
  await until("the gap is looked at", () => ended.length === 6);
  await sleep(100);
  assertEquals(ended.sort(), [
    'a expired · its copy is {"value":"one"}',
    "b expired · its value was two",
    'c expired · its copy is {"owner":"Ana"}',
    'gone:a expired · its copy is {"value":"one"}',
    "gone:b expired · its value was two",
    'gone:c expired · its copy is {"owner":"Ben"}',
  ]);
  assertEquals(await redis.get("stays:b"), "two");
});
