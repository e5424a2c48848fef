import { formatAddress } from "../address.ts";
import { ConnectError } from "../errors.ts";
import type { TcpAddress, TlsOptions } from "../transport.ts";

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
    sign: /PEM|NO_START_LINE|KEY_VALUES_MISMATCH|KeyMismatch|Invalid CA|UNSUPPORTED_PROTOCOL/,
    why: "the certificates or the key cannot be used",
    advice: "check that all are PEM, and that tls.key is the key of tls.cert",
  },
];

/**
 * Says why a connection that was made could not be secured, and what to do about it.
 *
 * @param cause the runtime's error; `null` when the server ended the connection
 */
export function tlsError(address: TcpAddress, tls: TlsOptions, cause: unknown): ConnectError {
  const { code = "", message = "" } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const words = String(message).trim();
  const known = FAILURES.find(({ sign }) => sign.test(`${code} ${words}`));
  const why = known?.why ?? "the server ended the connection";
  const advice = known?.advice ??
    (tls.cert === undefined
      ? "check whether it wants a client certificate (tls.cert and tls.key), and speaks TLS at all"
      : "check whether it accepts the client certificate, and speaks TLS at all");
  return new ConnectError(
    `Cannot connect to ${formatAddress(address)} over TLS: ` +
      `${why}${words === "" ? "" : ` (${words})`}; ${advice}`,
    cause === null ? {} : { cause },
  );
}
