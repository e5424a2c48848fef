/**
 * Why TLS failed, and what to do about it. Loaded with TLS.
 *
 * @module
 */

import { ConnectError } from "../errors.ts";
import { formatAddress, type TcpAddress, type TlsOptions } from "../transport.ts";

/** Why the handshake failed, and what to do about it. */
type Explanation = readonly [why: string, hint: string];

const NO_VERSION: Explanation = [
  "the server and this runtime have no TLS version in common",
  "make the server speak TLS 1.2 or later",
];
const CHECK_KEY = "check that tls.key is the key of tls.cert";
const UNUSABLE: Explanation = ["this runtime cannot use the certificates or the key", CHECK_KEY];

/** Faults that the client detects, by the codes and words of the runtimes. */
const FAULTS: readonly (readonly [sign: RegExp, ...Explanation])[] = [
  [
    /ALTNAME_INVALID/,
    "the server's certificate is for another name",
    "set tls.serverName to a name that it is for",
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    "the server's certificate has expired or is not valid yet",
    "renew it, or set the clock right",
  ],
  [
    /INVALID_PURPOSE/,
    "the server's certificate is not meant for servers",
    "issue one for server authentication",
  ],
  // Deno's code stands for damaged TLS too.
  [
    /^ERR_SSL_WRONG_VERSION_NUMBER(?!.*corrupt message)|InvalidContentType/,
    "the peer does not speak TLS",
    "use redis://, or the port on which the server speaks TLS",
  ],
  [/UNSUPPORTED_PROTOCOL|ServerDoesNotSupportTls/, ...NO_VERSION],
];

const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/;

/** Matches the codes of a connection that has ended, and the alerts without details. */
const ENDED = /ECONNRESET|EPIPE|^closenotify$|^usercancell?ed$/;

/** The alerts about a client certificate, and what they say of it. Without one, the server misses it. */
const CERTIFICATE_ALERTS: { readonly [alert: string]: string } = {
  badcertificate: "",
  unsupportedcertificate: "",
  certificateunknown: "",
  unknownca: ": it does not trust the authority that signed it",
  certificaterevoked: ": it has been revoked",
  certificateexpired: ": it has expired, or is not valid yet",
};

/** Whether a server name is an IP address, for which TLS sends none. */
export function isIp(serverName: string): boolean {
  return /^[\d.]+$|:/.test(serverName);
}

/**
 * Says why a connection that was made could not be secured, and what to do about it. If the runtime's
 * error does not show the cause, the hint says what to check.
 *
 * @param cause the runtime's error; null if the server ended the connection
 * @param isSecured whether the handshake was over for the client: a server may look at the client's
 * certificate only afterwards
 */
export function tlsError(
  address: TcpAddress,
  tls: TlsOptions,
  cause: unknown,
  isSecured: boolean,
): ConnectError {
  const [code, message] = wordsOf(cause);
  const alert = alertOf(code, message);
  const known = alert === null
    ? explainFault(tls, code, message)
    : explainAlert(address, tls, alert);
  if (known !== null) return failure(address, known, cause);
  const isOver = cause === null || ENDED.test(alert ?? code);
  const why = isOver
    ? "the server ended the connection"
    : alert === null
    ? "the handshake failed"
    : "the server refused the handshake";
  const early = isOver ? "tls.serverName, that it speaks TLS, and " : "tls.serverName, and ";
  const certificate = tls.cert === undefined
    ? "whether it requires a client certificate (tls.cert and tls.key)"
    : "the client certificate";
  return failure(address, [why, `check ${isSecured ? "" : early}${certificate}`], cause);
}

/** Says that the runtime cannot use the certificates or the key that were given. */
export function certificateError(address: TcpAddress, cause: unknown): ConnectError {
  const isMismatch = /KEY_(?:VALUES|TYPE)_MISMATCH/.test(wordsOf(cause)[0]);
  return failure(
    address,
    isMismatch
      ? ["tls.key is not the key of tls.cert", "give the key that belongs to the certificate"]
      : UNUSABLE,
    cause,
  );
}

function wordsOf(cause: unknown): [code: string, message: string] {
  const { code = "", message = "" } = (cause ?? {}) as { code?: unknown; message?: unknown };
  return [`${code}`, `${message}`];
}

/**
 * The name of the alert that the server sent, in small letters without marks; null if it sent none.
 * Deno gives different alerts the same code, so there the message counts.
 */
function alertOf(code: string, message: string): string | null {
  const [, name] = "Deno" in globalThis
    ? /fatal alert: (\w+)/.exec(message) ?? []
    : /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?:ALERT_)?(.+)$/.exec(code) ?? [];
  return name === undefined ? null : name.replaceAll("_", "").toLowerCase();
}

/** The meaning of an alert; null if it has several. */
function explainAlert(
  { hostname }: TcpAddress,
  { cert, serverName = hostname }: TlsOptions,
  alert: string,
): Explanation | null {
  if (alert === "protocolversion") return NO_VERSION;
  if (/^unrecogni[sz]edname$/.test(alert)) {
    return [
      isIp(serverName)
        ? "the server requires a server name, and none is sent for an IP address"
        : `the server does not know the name "${serverName}"`,
      "set tls.serverName to a name that it knows",
    ];
  }
  const isMissing = alert === "certificaterequired" || alert === "nocertificate";
  const detail = CERTIFICATE_ALERTS[alert];
  if (!isMissing && detail === undefined) return null;
  if (cert === undefined) {
    return ["the server requires a client certificate", "give one as tls.cert and tls.key"];
  }
  if (isMissing) {
    return ["the server requires a client certificate, and the one given was not sent", CHECK_KEY];
  }
  return [
    `the server does not accept the client certificate${detail}`,
    "give one as tls.cert and tls.key that its authority has signed",
  ];
}

/** The fault that the client has detected; null if the runtime's error does not show it. */
function explainFault({ ca, cert }: TlsOptions, code: string, message: string): Explanation | null {
  const isDeno = "Deno" in globalThis;
  // Deno detects only then whether it can use them, and has no other code for it.
  if (isDeno && code === "ERR_SSL_UNSUPPORTED_PROTOCOL" && cert !== undefined) return UNUSABLE;
  if (UNTRUSTED.test(code)) {
    const hint = ca === undefined
      ? "give its authority's certificate as tls.ca"
      : "check that tls.ca contains its authority's certificate, undamaged";
    // Deno has the same code for an unknown authority, a wrong time and a wrong purpose.
    return isDeno
      ? ["the server's certificate is not trusted", `${hint}, and check that it has not expired`]
      : ["the server's certificate is not signed by a trusted authority", hint];
  }
  const known = FAULTS.find(([sign]) => sign.test(`${code} ${message}`));
  return known === undefined ? null : [known[1], known[2]];
}

/** The most that is repeated of a runtime's message, which may quote the peer's certificate. */
const MAX_WORDS = 200;

function failure(address: TcpAddress, [why, hint]: Explanation, cause: unknown): ConnectError {
  // OpenSSL's message has the names of its own source files around the reason.
  const { reason, message } = (cause ?? {}) as { reason?: unknown; message?: unknown };
  const words = `${reason ?? message ?? ""}`.trim().slice(0, MAX_WORDS);
  const server = formatAddress(address);
  return new ConnectError(
    "TLS_FAILED",
    `Cannot connect to ${server} over TLS: ${why}${words && ` (${words})`}; ${hint}`,
    cause === null ? { server } : { server, cause },
  );
}
