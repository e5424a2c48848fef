/**
 * Watches a peer that floods, with a handler that is too slow and a stream that nobody reads, and
 * prints as JSON how much was between the socket and these consumers at most.
 *
 * The argument is JSON: `url`, `tls`, `control`, the address at which the peer says how many bytes of
 * the flood were taken from it, and `flood`, how many it sends in all.
 */
import process from "node:process";
import { connect, dial } from "@keywatch/keywatch";

const { url, tls, control, flood } = JSON.parse(process.argv[2]);
const never = new AbortController().signal;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const dropped = { byGaps: 0 };
const notifications = await connect(url, {
  ...(tls === undefined ? {} : { tls }),
  onGap: (gap) => dropped.byGaps += gap.dropped ?? 0,
});
let handled = 0;
const node = () => notifications.status().nodes[0];
await notifications.subscribeKeyspace("*", {
  handler: async () => {
    handled++;
    await sleep(1);
  },
});

/** How many bytes the peer says were taken, before how many are decoded is looked at. */
const asking = await dial(control, { signal: never });
async function taken() {
  await asking.write(new TextEncoder().encode("?"));
  return Number(new TextDecoder().decode(await asking.read()));
}

const most = { undecoded: 0, buffered: 0, queued: 0, queuedBytes: 0 };
function note(sample) {
  for (const name of Object.keys(most)) most[name] = Math.max(most[name], sample[name]);
}
while (node().bytes < flood) {
  const before = await taken();
  const { bytes, buffered } = node();
  const { queued, queuedBytes } = notifications.status();
  note({ undecoded: before - bytes, buffered, queued, queuedBytes });
  await sleep(5);
}
const { messages } = node();
// What still waits for the handler, and those of the gaps that it has not come to.
const { queued, dropped: all } = notifications.status();
console.log(JSON.stringify({ most, messages, handled, queued, dropped: all }));
await notifications.close();
asking.close();
