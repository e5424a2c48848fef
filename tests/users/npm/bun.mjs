import { RedisClient } from "bun";
import { connect } from "keywatch";

const redis = new RedisClient(Bun.env.REDIS_URL);
const cache = new Map();
const notifications = await connect(Bun.env.REDIS_URL, { onGap: () => cache.clear() });
await notifications.subscribeKeyspace("product:*", {
  handler: ({ key }) => void cache.delete(key),
});

const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const key = `product:${new URL(request.url).pathname.slice(1)}`;
    if (!cache.has(key)) cache.set(key, await redis.get(key));
    return new Response(cache.get(key));
  },
});
console.log(`http://127.0.0.1:${server.port}`);
