/** TLS and unix sockets: what is subscribed comes, and what is not safe is refused. */
import { ConnectError, UnsupportedError } from "@keywatch/keywatch";
import { equal, ok, rejects, take } from "../kit.mjs";

/** A certificate that leads nowhere, in the form of one. */
const NONSENSE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async function serves(scene, options, url) {
  const notifications = await scene.connect(options, url);
  equal(notifications.status().nodes[0].protocol, options.protocol);
  await notifications.subscribeKeyspace("user:*");
  await scene.commands([["SET", "user:1", "x"], ["DEL", "user:1"]]);
  equal(await take(notifications, 2), ["set user:1", "del user:1"]);
}

function servesOverTls(protocol) {
  return async (scene) => {
    const { url, tls } = scene.settings.secured;
    for (const serverName of [tls.serverName, "10.0.0.1"]) {
      await serves(scene, { protocol, tls: { ...tls, serverName } }, url);
    }
  };
}

function servesOverUnix(protocol) {
  return (scene) => serves(scene, { protocol }, scene.settings.unix);
}

async function refusesUnsafe(scene) {
  const { url, tls, strange } = scene.settings.secured;
  const { ca, cert, key, serverName } = tls;
  const cases = [
    ["no CA", { cert, key, serverName }, "give its authority's certificate as tls.ca"],
    ["another CA", { ...tls, ca: strange.ca }, "give its authority's certificate as tls.ca"],
    ["no client certificate", { ca, serverName }, "give one as tls.cert and tls.key"],
    ["a strange one", { ...strange, ca, serverName }, "that its authority has signed"],
    ["no name", { ca, cert, key }, "set tls.serverName to a name that it is for"],
    ["another name", { ...tls, serverName: "other.test" }, "set tls.serverName"],
    ["another address", { ...tls, serverName: "10.0.0.2" }, "set tls.serverName"],
    ["the key of another", { ...tls, key: strange.key }, "tls.key is the key of tls.cert"],
    ["a broken certificate", { ...tls, cert: NONSENSE }, "tls.key is the key of tls.cert"],
  ];
  for (const [what, options, advice] of cases) {
    const error = await rejects(
      ConnectError,
      "ConnectError",
      () => scene.connect({ tls: options }, url),
    );
    ok(error.message.includes(new URL(url).host), `with ${what}, it names the server: ${error}`);
    ok(error.message.includes(advice), `with ${what}, it says "${advice}": ${error.message}`);
    ok(error.cause instanceof Error, `with ${what}, the runtime's own error is the cause`);
  }
}

async function refusesTlsOnUnixSockets(scene) {
  const { tls } = scene.settings.secured;
  await rejects(TypeError, "TypeError", () => scene.connect({ tls }, scene.settings.unix));
  const { dial } = await import("@keywatch/keywatch/pubsub");
  const signal = new AbortController().signal;
  const unsupported = () => dial({ path: "/tmp/none.sock" }, { signal, tls });
  await rejects(UnsupportedError, "UnsupportedError", unsupported);
}

async function mixesUp(scene) {
  const { url } = scene.settings.secured;
  const plain = `redis://${new URL(url).host}`;
  const connecting = () => scene.connect({}, plain);
  const { message } = await rejects(ConnectError, "ConnectError", connecting);
  ok(message.includes("wants TLS (rediss://)"), message);
}

export const securing = [
  { name: "RESP3: CA, client certificate and server name together", run: servesOverTls(3) },
  { name: "RESP2: CA, client certificate and server name together", run: servesOverTls(2) },
  { name: "RESP3: serves over a unix socket", run: servesOverUnix(3) },
  { name: "RESP2: serves over a unix socket", run: servesOverUnix(2) },
  { name: "what is not safe is a ConnectError that says what to do", run: refusesUnsafe },
  { name: "TLS on a unix socket is refused", run: refusesTlsOnUnixSockets },
  { name: "a server that wants TLS and gets none is a ConnectError", run: mixesUp },
];
