import { createClient } from "redis";
import { connect } from "keywatch";

const redis = await createClient({ url: process.env.REDIS_URL }).connect();
const cache = new Map([["product:1", "lamp"]]);

// Before:
// const subscriber = await redis.duplicate().connect();
// await subscriber.pSubscribe("__keyspace@0__:product:*", (_event, channel) => {
//   cache.delete(channel.slice("__keyspace@0__:".length));
// });
const notifications = await connect(process.env.REDIS_URL, { onGap: () => cache.clear() });
await notifications.subscribeKeyspace("product:*", {
  handler: ({ key }) => console.log(`${key} was cached: ${cache.delete(key)}`),
});

process.once("SIGTERM", async () => {
  await notifications.close();
  await redis.close();
});
await redis.set("product:1", "chair");
