import { createClient } from "npm:@redis/client@6.3.1";
import { connect } from "@keywatch/keywatch";

const url = Deno.env.get("REDIS_URL")!;
await using notifications = await connect(url);
await notifications.subscribeKeyevent("expired");

const redis = await createClient({ url }).connect();
await redis.set("reminder:tea", "", { expiration: { type: "PX", value: 50 } });
await redis.close();

for await (const { key } of notifications) {
  console.log(`${key} is due`);
  break;
}
