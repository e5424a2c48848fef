/**
 * Runs the contract in a worker, as `conformance.mjs` does elsewhere: a JSON object a line. The
 * binding `SETTINGS` has what is an argument there, and `cases`, one of {@linkcode CASES}.
 */
import { connect } from "cloudflare:sockets";
import { clustering } from "./cases/clusters.mjs";
import { connecting } from "./cases/connecting.mjs";
import { failing } from "./cases/failing.mjs";
import { reading } from "./cases/reading.mjs";
import { returning } from "./cases/returning.mjs";
import { following } from "./cases/sentinels.mjs";
import { subscribing } from "./cases/subscribing.mjs";
import { transporting } from "./cases/transport.mjs";
import { stranger, working } from "./cases/worker.mjs";
import { possible, runCases } from "./kit.mjs";
import { PlainClient } from "./plain_client.mjs";

const everywhere = [
  connecting,
  subscribing,
  reading,
  failing,
  returning,
  following,
  clustering,
  transporting,
]
  .flat();

const CASES = { contract: [...everywhere, ...working], stranger };

function open(hostname, port) {
  const socket = connect({ hostname, port });
  const writer = socket.writable.getWriter();
  return {
    async listen({ data, error, close }) {
      try {
        for await (const chunk of socket.readable) data(chunk);
        close();
      } catch (reason) {
        error(reason);
      }
    },
    write: (bytes) => void writer.write(bytes).catch(() => {}),
    destroy: () => void socket.close().catch(() => {}),
  };
}

/** A worker cannot listen, and has no unix sockets. */
const host = { connect: (url) => PlainClient.connect(url, open) };
const print = (line) => console.log(JSON.stringify(line));

export default {
  async test(_controller, { SETTINGS }) {
    const cases = possible(CASES[SETTINGS.cases], host, SETTINGS);
    print({ cases: cases.map(({ name }) => name) });
    let passed = 0;
    for await (const result of runCases(cases, host, SETTINGS)) {
      print(result);
      if (result.ok) passed++;
    }
    print({ passed });
    if (passed < cases.length) throw new Error("A worker does not keep the contract");
  },
};
