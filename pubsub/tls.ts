import { invalid, kindOf } from "./option_checks.ts";
import { readPem } from "./pem.ts";
import type { Dial, TlsOptions } from "./transport.ts";

/**
 * Checks options for TLS, and turns certificates and the key into PEM text that every runtime reads.
 *
 * @param tls what was given
 * @param option what the option is called, for messages
 * @returns a copy, which later changes of the given bytes do not reach
 * @throws {TypeError} when something cannot be used
 */
export function readTls(tls: TlsOptions, option = "tls"): TlsOptions {
  if (typeof tls !== "object" || tls === null) {
    throw invalid(option, kindOf(tls), "an object");
  }
  const { ca, cert, key, serverName } = tls;
  const read = {
    ...(ca === undefined ? {} : { ca: readPem("ca", ca, option) }),
    ...(cert === undefined ? {} : { cert: readPem("cert", cert, option) }),
    ...(key === undefined ? {} : { key: readPem("key", key, option) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = key === undefined ? ["cert", "key"] : ["key", "cert"];
    throw new TypeError(
      `Cannot use the option ${option}.${given}: ${option}.${missing} is missing; give both or ` +
        "neither",
    );
  }
  if (serverName !== undefined && (typeof serverName !== "string" || serverName === "")) {
    const what = serverName === "" ? "empty text" : kindOf(serverName);
    throw invalid(`${option}.serverName`, what, "a name of the server's certificate");
  }
  return read;
}

/**
 * Checks what was given for TLS together with whether TLS is spoken.
 *
 * @param where the server, for messages
 * @param secured whether TLS is spoken with it
 * @param tls what was given for it
 * @param option what the option is called, for messages
 * @returns how to speak TLS; undefined where it is not spoken
 * @throws {TypeError} when an option cannot be used, or when TLS is not spoken: what was to be
 * secured must not go out in the clear
 */
export function tlsFor(
  where: string,
  secured: boolean,
  tls: TlsOptions | undefined,
  option = "tls",
): TlsOptions | undefined {
  if (secured) return readTls(tls ?? {}, option);
  if (tls === undefined) return undefined;
  throw new TypeError(
    `Cannot use the option ${option} with ${where}: TLS is not spoken there; write rediss:// or ` +
      "valkeys://",
  );
}

/** A dial that speaks TLS to whatever address it is given; plainly where there is none to speak. */
export function dialWithTls(dial: Dial, tls: TlsOptions | undefined): Dial {
  return tls === undefined ? dial : (address, options) => dial(address, { ...options, tls });
}
