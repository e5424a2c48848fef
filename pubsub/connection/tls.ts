import { invalid, kindOf } from "./option_checks.ts";
import { readPem } from "./pem.ts";
import type { Dial, TlsOptions } from "./transport.ts";

/**
 * Checks options for TLS, and turns certificates and the key into PEM text that every runtime reads.
 *
 * @param tls the caller's options
 * @param option the name of the option, for messages
 * @returns a copy, which later changes of the given bytes do not affect
 * @throws {TypeError} if something cannot be used
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
 * Checks the options for TLS, and that TLS is used if there are any.
 *
 * @param where the server, for messages
 * @param secured whether the connection uses TLS
 * @param tls the caller's options
 * @param option the name of the option, for messages
 * @returns the options to use; undefined without TLS
 * @throws {TypeError} if an option cannot be used, or if there are options but no TLS: a connection
 * that was meant to be secure must not be made in the clear
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

/** A dial that uses TLS for every address; the same dial if `tls` is undefined. */
export function dialWithTls(dial: Dial, tls: TlsOptions | undefined): Dial {
  return tls === undefined ? dial : (address, options) => dial(address, { ...options, tls });
}
