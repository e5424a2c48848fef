/** What is special in Workers: TLS is set up around them, and there are no unix sockets. */
import { ConnectError, UnsupportedError } from "@keywatch/keywatch";
import { equal, ok, rejects, take } from "../kit.mjs";

function servesOverTls(protocol) {
  return async (scene) => {
    const { url, serverName } = scene.settings.secured;
    const notifications = await scene.connect({ protocol, tls: { serverName } }, url);
    equal(notifications.status().nodes[0].protocol, protocol);
    await notifications.subscribeKeyspace("user:*");
    await scene.command("SET", "user:1", "x");
    equal(await take(notifications, 1), ["set user:1"]);
  };
}

async function refusesOtherNames(scene) {
  const { url } = scene.settings.secured;
  for (const tls of [{}, { serverName: "other.test" }]) {
    const error = await rejects(ConnectError, "ConnectError", () => scene.connect({ tls }, url));
    ok(error.message.includes(`${new URL(url).host} over TLS`), error.message);
    ok(error.cause instanceof Error, "the runtime's own error is the cause");
  }
}

async function saysWhatItCannot(scene) {
  const unsupported = (options, url) =>
    rejects(UnsupportedError, "UnsupportedError", () => scene.connect(options, url));
  const unix = await unsupported({}, "redis+unix:///tmp/redis.sock");
  ok(unix.message.includes("Workers have no unix sockets"), unix.message);
  const { url } = scene.settings.secured;
  const pem = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
  const key = pem.replaceAll("CERTIFICATE", "PRIVATE KEY");
  for (
    const [name, tls] of [["ca", { ca: new TextEncoder().encode(pem) }], ["cert", {
      cert: pem,
      key,
    }]]
  ) {
    const { message } = await unsupported({ tls }, url);
    ok(message.includes(`tls.${name}`), message);
    ok(message.includes("from their configuration only"), message);
  }
}

async function refusesWithoutCertificates(scene) {
  const { url, serverName } = scene.settings.secured;
  const { message } = await rejects(
    ConnectError,
    "ConnectError",
    () => scene.connect({ tls: { serverName } }, url),
  );
  ok(message.includes("certificate"), message);
}

/** For a worker that has been given the server's authority and a client certificate. */
export const working = [
  { name: "RESP3: serves over TLS, under a name", run: servesOverTls(3) },
  { name: "RESP2: serves over TLS, under a name", run: servesOverTls(2) },
  { name: "a certificate for another name is a ConnectError", run: refusesOtherNames },
  { name: "what Workers cannot do is an UnsupportedError", run: saysWhatItCannot },
];

/** For a worker that lacks one of the two. */
export const stranger = [
  { name: "TLS without the certificates is a ConnectError", run: refusesWithoutCertificates },
];
