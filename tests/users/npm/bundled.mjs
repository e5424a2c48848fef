import { connect } from "keywatch";

const notifications = await connect(process.env.REDIS_URL);
await notifications.subscribeKeyspace("user:*");
console.log("watching");
const { eventType, key } = await notifications.getMessage({ timeout: 30_000 });
console.log(eventType, key);
await notifications.close();
