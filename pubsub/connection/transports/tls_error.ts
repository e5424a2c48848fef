/**
 * Why TLS failed, and what to do about it. Loaded only when it has.
 *
 * @module
 */

import { ConnectError } from "../errors.ts";
import { formatAddress, type TcpAddress, type TlsOptions } from "../transport.ts";

/** Why the handshake failed, and what to do about it. */
type Explanation = readonly [why: string, advice: string];

/** The texts of a runtime's error. */
interface Words {
  readonly code: string;
  readonly message: string;
}

const NO_VERSION: Explanation = [
  "the server and this runtime have no TLS version in common",
  "make the server speak TLS 1.2 or later",
];
const NOT_GIVEN: Explanation = [
  "the server requires a client certificate",
  "give one as tls.cert and tls.key",
];
const NOT_SENT: Explanation = [
  "the server requires a client certificate, and the one given was not sent",
  "check that tls.key is the key of tls.cert",
];
const NOT_ITS_KEY: Explanation = [
  "tls.key is not the key of tls.cert",
  "give the key that belongs to the certificate",
];
const UNUSABLE: Explanation = [
  "this runtime cannot use the certificates or the key",
  "check that tls.key is the key of tls.cert",
];

/** Faults that the client detects, by the wording of the runtimes. */
const FOUND: readonly (readonly [sign: RegExp, ...Explanation])[] = [
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

/** The codes of a connection that has ended, and the alerts that say no more. */
const ENDED = /ECONNRESET|EPIPE|^closenotify$|^usercancell?ed$/;

const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/;

/**
 * Says why a connection that was made could not be secured, and what to do about it. Where the
 * runtime's error does not show the cause, the advice says what to check.
 *
 * @param cause the runtime's error; `null` when the server ended the connection
 * @param isSecured whether the handshake was over for the client; a server may look at the client's
 * certificate only afterwards
 */
export function tlsError(
  address: TcpAddress,
  tls: TlsOptions,
  cause: unknown,
  isSecured: boolean,
): ConnectError {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const words: Words = { code: `${code ?? ""}`, message: `${message ?? ""}` };
  const alert = alertOf(words);
  const known = alert === null ? explainOwn(tls, words) : explainAlert(address, tls, alert);
  if (known !== null) return failure(address, known, cause);
  const isOver = cause === null || ENDED.test(alert ?? words.code);
  const why = isOver
    ? "the server ended the connection"
    : alert === null
    ? "the handshake failed"
    : "the server refused the handshake";
  const certificate = tls.cert === undefined
    ? "whether it requires a client certificate (tls.cert and tls.key)"
    : "the client certificate";
  const first = isSecured
    ? ""
    : isOver
    ? "tls.serverName, that it speaks TLS, and "
    : "tls.serverName, and ";
  return failure(address, [why, `check ${first}${certificate}`], cause);
}

/**
 * Says that the certificates or the key that were given cannot be used.
 *
 * @param cause the runtime's error
 */
export function certificateError(address: TcpAddress, cause: unknown): ConnectError {
  const { code } = (cause ?? {}) as { code?: unknown };
  return failure(
    address,
    /KEY_(?:VALUES|TYPE)_MISMATCH/.test(`${code}`) ? NOT_ITS_KEY : UNUSABLE,
    cause,
  );
}

/**
 * The name of the alert that the server sent, in small letters without spaces; `null` if it sent
 * none. Deno gives different alerts the same code, so there the message counts.
 */
function alertOf({ code, message }: Words): string | null {
  const [, name] = "Deno" in globalThis
    ? /fatal alert: (\w+)/.exec(message) ?? []
    : /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?:ALERT_)?(.+)$/.exec(code) ?? [];
  return name === undefined ? null : name.replaceAll("_", "").toLowerCase();
}

/** The meaning of an alert; null if it has several. */
function explainAlert(address: TcpAddress, tls: TlsOptions, alert: string): Explanation | null {
  const isGiven = tls.cert !== undefined;
  switch (alert) {
    case "unrecognizedname":
    case "unrecognisedname": {
      const name = askedName(address, tls);
      return [
        name === null
          ? "the server requires a server name, and none is sent for an IP address"
          : `the server does not know the name "${name}"`,
        "set tls.serverName to a name that it knows",
      ];
    }
    case "protocolversion":
      return NO_VERSION;
    case "certificaterequired":
    case "nocertificate":
      return isGiven ? NOT_SENT : NOT_GIVEN;
    // All of these are about a client certificate: without one, the server misses it.
    case "unknownca":
    case "badcertificate":
    case "unsupportedcertificate":
    case "certificaterevoked":
    case "certificateexpired":
    case "certificateunknown":
      return isGiven
        ? [
          `the server does not accept the client certificate${REASONS[alert] ?? ""}`,
          "give one as tls.cert and tls.key that its authority has signed",
        ]
        : NOT_GIVEN;
  }
  return null;
}

const REASONS: { readonly [alert: string]: string } = {
  unknownca: ": it does not trust the authority that signed it",
  certificaterevoked: ": it has been revoked",
  certificateexpired: ": it has expired, or is not valid yet",
};

/** The fault that the client has detected; null if the runtime's error does not show it. */
function explainOwn(tls: TlsOptions, { code, message }: Words): Explanation | null {
  const isDeno = "Deno" in globalThis;
  // Deno finds out only then whether it can use them, and has no other code for it.
  if (isDeno && code === "ERR_SSL_UNSUPPORTED_PROTOCOL" && tls.cert !== undefined) return UNUSABLE;
  if (UNTRUSTED.test(code)) {
    const advice = tls.ca === undefined
      ? "give its authority's certificate as tls.ca"
      : "check that tls.ca contains its authority's certificate, undamaged";
    // Deno has the same code for an unknown authority, a wrong time and a wrong purpose.
    return isDeno
      ? [
        "the server's certificate is not trusted",
        `${advice}, and check that it has not expired`,
      ]
      : [
        "the server's certificate is not signed by a trusted authority",
        advice,
      ];
  }
  const known = FOUND.find(([sign]) => sign.test(`${code} ${message}`));
  return known === undefined ? null : [known[1], known[2]];
}

/** The server name that is sent; `null` for an IP address, for which TLS sends none. */
function askedName({ hostname }: TcpAddress, { serverName = hostname }: TlsOptions): string | null {
  return /^[\d.]+$|:/.test(serverName) ? null : serverName;
}

function failure(
  address: TcpAddress,
  [why, advice]: Explanation,
  cause: unknown,
): ConnectError {
  const words = cause instanceof Error ? ` (${shortWords(cause)})` : "";
  const server = formatAddress(address);
  return new ConnectError(
    "TLS_FAILED",
    `Cannot connect to ${server} over TLS: ${why}${words}; ${advice}`,
    cause === null ? { server } : { server, cause },
  );
}

/** The most that is repeated of a runtime's message, which may quote the peer's certificate. */
const LONGEST_WORDS = 200;

/** OpenSSL's message names its own source files around what it calls the reason. */
function shortWords(error: Error & { readonly reason?: unknown }): string {
  return `${error.reason ?? error.message}`.trim().slice(0, LONGEST_WORDS);
}
