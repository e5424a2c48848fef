import { Redis } from "ioredis";
import { connect } from "keywatch";

const redis = new Redis(process.env.REDIS_URL);

// Before:
// const subscriber = redis.duplicate();
// subscriber.on("pmessage", async (_pattern, _channel, key) => {
//   if (!key.startsWith("job:")) return;
//   await redis.rpush("due", key);
// });
// await subscriber.psubscribe("__keyevent@0__:expired");
const notifications = await connect(process.env.REDIS_URL);
await notifications.subscribeKeyevent("expired", {
  keys: "job:*",
  handler: async ({ key }) => console.log(`${key} is due, number ${await redis.rpush("due", key)}`),
});

process.once("SIGTERM", async () => {
  await notifications.close();
  redis.disconnect();
});
await redis.set("job:1", "", "PX", 50);
