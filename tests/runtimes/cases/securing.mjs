/** TLS and unix sockets: what is subscribed comes, and what is not safe is refused. */
import { ConnectError, UnsupportedError } from "@keywatch/keywatch";
import { equal, ok, rejects, take } from "../kit.mjs";

/** What only a runtime finds out to be no certificate. */
const NONSENSE = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";

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
    [
      "another CA",
      { ...tls, ca: strange.ca },
      "check that tls.ca contains its authority's certificate",
    ],
    ["no client certificate", { ca, serverName }, "give one as tls.cert and tls.key"],
    ["a strange one", { ...strange, ca, serverName }, "that its authority has signed"],
    ["no name", { ca, cert, key }, "set tls.serverName to a name that it is for"],
    ["another name", { ...tls, serverName: "other.test" }, "set tls.serverName"],
    ["another address", { ...tls, serverName: "10.0.0.2" }, "set tls.serverName"],
    ["the key of another", { ...tls, key: strange.key }, /tls\.key is (not )?the key of tls\.cert/],
    ["a broken certificate", { ...tls, cert: NONSENSE }, "tls.key is the key of tls.cert"],
  ];
  for (const [what, options, advice] of cases) {
    const error = await rejects(
      ConnectError,
      "ConnectError",
      () => scene.connect({ tls: options }, url),
    );
    ok(error.message.includes(new URL(url).host), `with ${what}, it names the server: ${error}`);
    ok(error.message.search(advice) >= 0, `with ${what}, it says "${advice}": ${error.message}`);
    ok(error.cause instanceof Error, `with ${what}, the runtime's own error is the cause`);
  }
}

async function takesBytes(scene) {
  const { url, tls, strange } = scene.settings.secured;
  const bytes = (text) => new TextEncoder().encode(text);
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map(bytes);
  const { serverName } = tls;
  const protocol = 3;
  await serves(scene, { protocol, tls: { ca, cert, key, serverName } }, url);
  await serves(scene, { protocol, tls: { ...tls, ca: [strange.ca, ca] } }, url);
  const asVariables = Object.fromEntries(
    Object.entries(tls).map(([name, text]) => [name, text.replaceAll("\n", "\\n")]),
  );
  await serves(scene, { protocol, tls: asVariables }, url.replace("rediss:", "valkeys:"));
}

async function refusesDamaged(scene) {
  const { url, tls } = scene.settings.secured;
  for (const name of ["ca", "cert", "key"]) {
    const pem = tls[name];
    const der = Uint8Array.from(
      atob(pem.replace(/-----[^-]+-----|\s/g, "")),
      (c) => c.charCodeAt(0),
    );
    for (const value of [pem.slice(0, -30), der, ""]) {
      const connecting = () => scene.connect({ tls: { ...tls, [name]: value } }, url);
      const { message } = await rejects(ConnectError, "ConnectError", connecting);
      const kind = name === "key" ? "PRIVATE KEY" : "CERTIFICATE";
      ok(message.includes(`tls.${name} contains no ${kind} in PEM`), message);
    }
  }
}

/** An alert that refuses the handshake. */
const refusal = (alert) => [21, 3, 3, 0, 2, 2, alert];

async function saysTheCause(scene) {
  const { ca, cert, key } = scene.settings.secured.tls;
  const one = { ca, serverName: "redis.test" };
  const both = { ...one, cert, key };
  const cases = [
    ["an unknown name", refusal(112), one, 'the server does not know the name "redis.test"'],
    ["no name", refusal(112), { ca }, "the server requires a server name, and none is sent"],
    ["no certificate", refusal(116), one, "the server requires a client certificate"],
    ["an unknown authority", refusal(48), both, "it does not trust the authority"],
    ["an expired certificate", refusal(45), both, "it has expired, or is not valid yet"],
    ["an old version", refusal(70), one, "have no TLS version in common"],
    ["no reason", refusal(40), one, "the server refused the handshake"],
    [
      "no reason",
      refusal(40),
      one,
      "check tls.serverName, and whether it requires a client certificate (tls.cert",
    ],
    ["no reason", refusal(80), both, "check tls.serverName, and the client certificate"],
    ["plain text", [...new TextEncoder().encode("-ERR no\r\n")], one, "does not speak TLS"],
    ["nothing", [], one, "the server ended the connection"],
  ];
  for (const [what, says, tls, why] of cases) {
    const peer = await scene.peer({ says });
    const url = peer.url.replace("redis:", "rediss:");
    const connecting = () => scene.connect({ tls }, url);
    const { message } = await rejects(ConnectError, "ConnectError", connecting);
    ok(message.includes(why), `of ${what} it says "${why}": ${message}`);
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
  ok(message.includes("whether it expects TLS (rediss://)"), message);
}

export const securing = [
  { name: "RESP3: CA, client certificate and server name together", run: servesOverTls(3) },
  { name: "RESP2: CA, client certificate and server name together", run: servesOverTls(2) },
  { name: "RESP3: serves over a unix socket", run: servesOverUnix(3) },
  { name: "RESP2: serves over a unix socket", run: servesOverUnix(2) },
  { name: "what is not safe is a ConnectError that says what to do", run: refusesUnsafe },
  { name: "certificates and the key may be bytes, and written on one line", run: takesBytes },
  { name: "damaged certificates and keys are TypeErrors", run: refusesDamaged },
  { name: "the cause of a refused handshake is named where it is known", run: saysTheCause },
  { name: "TLS on a unix socket is refused", run: refusesTlsOnUnixSockets },
  { name: "a server that wants TLS and gets none is a ConnectError", run: mixesUp },
];
