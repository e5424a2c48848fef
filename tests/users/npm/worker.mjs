import { connect } from "keywatch";

export default {
  async fetch(request, { REDIS_URL }) {
    const notifications = await connect(REDIS_URL);
    await notifications.subscribeKeyspace(new URL(request.url).searchParams.get("key"));
    const one = await notifications.getMessage({ timeout: 30_000 });
    await notifications.close();
    return new Response(one === null ? "nothing" : `${one.eventType} ${one.key}`);
  },
};
