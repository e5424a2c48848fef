import { connect } from "keywatch";
import pino from "pino";

const log = pino({ base: null, timestamp: false });
const notifications = await connect(process.env.REDIS_URL, {
  onGap: (gap) => log.warn({ gap }, "sessions may have ended unseen"),
});
await notifications.subscribeKeyevent("expired", {
  keys: "session:*",
  handler: ({ key }) => log.info({ key }, "a session has ended"),
});
log.info("watching");
process.once("SIGTERM", () => notifications.close());
