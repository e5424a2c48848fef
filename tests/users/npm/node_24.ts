import { Redis } from "ioredis";
import { connect, type StreamItem } from "keywatch";

const url = process.env.REDIS_URL!;
const redis = new Redis(url);
await using notifications = await connect(url);
await notifications.subscribeKeyspace("user:*", { events: ["set", "del"] });
await redis.set("user:1", "ana");
await redis.del("user:1");
redis.disconnect();

const seen: StreamItem[] = [];
for await (const item of notifications.listen({ gaps: true })) {
  seen.push(item);
  if (seen.length === 2) break;
}
console.log(seen.map((item) => item.kind === "gap" ? item.reason : item.eventType).join(" "));
