import type { Dial, TlsOptions } from "./transport.ts";

/**
 * Sees that what was given for TLS can be used, and will be.
 *
 * @param where who is spoken with, for messages
 * @param secured whether that is done over TLS
 * @param tls what was given for it
 * @throws {TypeError} when it cannot, or when TLS is not spoken: what was to be secured must not go
 * out in the clear
 */
export function checkTls(where: string, secured: boolean, tls: TlsOptions | undefined): void {
  if (tls === undefined) return;
  if (!secured) {
    throw new TypeError(
      `Cannot use the option tls with ${where}: TLS is not spoken there; write rediss://`,
    );
  }
  for (const name of ["ca", "cert", "key"] as const) {
    const text = tls[name];
    if (text === undefined) continue;
    if (typeof text !== "string" || !text.includes("-----BEGIN ")) {
      throw new TypeError(
        `Cannot use the option tls.${name}: it is not PEM text; read the file, and give what is ` +
          "in it",
      );
    }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, missing] = tls.key === undefined ? ["cert", "key"] : ["key", "cert"];
    throw new TypeError(`Cannot use the option tls.${given}: there is no tls.${missing} to it`);
  }
  if (/^(?:-----BEGIN|Proc-Type:).*\bENCRYPTED\b/m.test(tls.key ?? "")) {
    throw new TypeError("Cannot use the option tls.key: it is encrypted; give it decrypted");
  }
  if (tls.serverName === "") {
    throw new TypeError("Cannot use the option tls.serverName: it is empty");
  }
}

/** A dial that speaks TLS to whatever address it is given; plainly where there is none to speak. */
export function dialWithTls(dial: Dial, tls: TlsOptions | undefined): Dial {
  return tls === undefined ? dial : (address, options) => dial(address, { ...options, tls });
}
