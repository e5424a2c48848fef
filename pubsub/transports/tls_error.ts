import { formatAddress } from "../address.ts";
import { ConnectError, UnsupportedError } from "../errors.ts";
import { excerpt } from "../printable.ts";
import type { Address, TcpAddress, TlsOptions } from "../transport.ts";

/**
 * Refuses TLS on a unix socket.
 *
 * @throws {UnsupportedError} when the address is one
 */
export function requireTcp(address: Address): asserts address is TcpAddress {
  if (!("path" in address)) return;
  throw new UnsupportedError(
    `Cannot connect to ${address.path} over TLS: servers speak none on unix sockets`,
  );
}

interface Failure {
  /** Words that the runtimes' errors of this kind have in their code or message. */
  readonly sign: RegExp;
  readonly why: string;
  readonly advice: string;
}

// The server's alerts come first: their names contain those of what the client finds out by itself.
const FAILURES: readonly Failure[] = [
  {
    sign: /CERTIFICATE_REQUIRED|CertificateRequired|ALERT_HANDSHAKE_FAILURE|HandshakeFailure/,
    why: "the server wants a client certificate",
    advice: "give one as tls.cert and tls.key",
  },
  {
    sign: new RegExp(
      "ALERT_(UNKNOWN_CA|BAD_CERT|UNSUPPORTED_CERT|CERTIFICATE_|DECRYPT_ERROR)|" +
        "alert: (UnknownCA|BadCert|UnsupportedCert|Certificate|DecryptError)",
    ),
    why: "the server does not accept the client certificate",
    advice: "give one as tls.cert and tls.key that its authority has signed",
  },
  {
    sign: /ALTNAME_INVALID|not valid for name/,
    why: "the server's certificate is for another name",
    advice: "set tls.serverName to a name that it is for",
  },
  {
    sign: /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|UnknownIssuer|not trusted/,
    why: "nobody who is trusted has signed the server's certificate",
    advice: "give its authority's certificate as tls.ca",
  },
  {
    sign: /CERT_(HAS_EXPIRED|NOT_YET_VALID)|expired|not valid yet/,
    why: "the server's certificate is not valid at this time",
    advice: "renew it, or set the clock right",
  },
  {
    sign: /WRONG_VERSION_NUMBER|InvalidContentType|HTTP_REQUEST/,
    why: "what answers there does not speak TLS",
    advice: "use redis://, or the port on which the server speaks TLS",
  },
  {
    sign: /UNSUPPORTED_PROTOCOL/,
    why: "the server and the client have no way to speak TLS in common",
    advice:
      "check that tls.key is the key of tls.cert, and that the server speaks TLS 1.2 or later",
  },
];

/**
 * Says why a connection that was made could not be secured, and what to do about it.
 *
 * @param cause the runtime's error; `null` when the server ended the connection
 */
export function tlsError(address: TcpAddress, tls: TlsOptions, cause: unknown): ConnectError {
  const { code = "", message = "" } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const known = FAILURES.find(({ sign }) => sign.test(`${code} ${message}`));
  if (known !== undefined) return failure(address, known, cause);
  const ended = cause === null || /ECONNRESET|EPIPE/.test(`${code}`);
  return failure(address, {
    why: ended ? "the server ended the connection" : "the runtime refused",
    advice: tls.cert === undefined
      ? "check whether it wants a client certificate (tls.cert and tls.key), and speaks TLS at all"
      : "check whether it accepts the client certificate, and speaks TLS at all",
  }, cause);
}

/**
 * Says that the certificates or the key that were given cannot be used.
 *
 * @param cause the runtime's error
 */
export function certificateError(address: TcpAddress, cause: unknown): ConnectError {
  return failure(address, {
    why: "the certificates or the key cannot be used",
    advice: "check that all are whole PEM texts, and that tls.key is the key of tls.cert",
  }, cause);
}

function failure(
  address: TcpAddress,
  { why, advice }: Pick<Failure, "why" | "advice">,
  cause: unknown,
): ConnectError {
  const words = cause instanceof Error ? ` (${excerpt(cause.message.trim())})` : "";
  return new ConnectError(
    `Cannot connect to ${formatAddress(address)} over TLS: ${why}${words}; ${advice}`,
    cause === null ? {} : { cause },
  );
}
