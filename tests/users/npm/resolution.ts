import { connect, type KeyNotification } from "keywatch";
import { EventType } from "keywatch/events";

async function main(): Promise<void> {
  const notifications = await connect(process.env.REDIS_URL!);
  await notifications.subscribeKeyevent(EventType.SET, { keys: "user:*" });
  console.log("watching");
  const one: KeyNotification | null = await notifications.getMessage({ timeout: 30_000 });
  console.log(one?.eventType, one?.key);
  await notifications.close();
}

void main();
