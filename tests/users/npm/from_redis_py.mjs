import { connect, KeyspaceChannel } from "keywatch";
import { EventType } from "keywatch/events";

// Before:
// with KeyspaceNotifications(redis, key_prefix="shop:") as notifications:
//     notifications.subscribe(KeyspaceChannel("shop:cart:*"))
//     notifications.subscribe_keyevent(EventType.EXPIRED)
//     for notification in notifications.listen():
//         print(notification.key, notification.event_type)
const notifications = await connect(process.env.REDIS_URL, { keyPrefix: "shop:" });
await notifications.subscribe(new KeyspaceChannel("shop:cart:*"));
await notifications.subscribeKeyevent(EventType.EXPIRED);
console.log("watching");
for await (const { key, eventType } of notifications) console.log(key, eventType);
