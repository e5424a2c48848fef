/** Certificates and keys as people have them: what is accepted, and what is said of the rest. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, ConnectError, dial, type TlsOptions } from "../../../mod.ts";
import { readPem } from "../../../pubsub/connection/transports/node_tls.ts";
import { falseBytes } from "../../false_bytes.ts";
import { makeCertificates } from "../../servers/mod.ts";

const { ca, client: { cert, key } } = await makeCertificates();
const bytes = (text: string) => new TextEncoder().encode(text);
const address = { hostname: "127.0.0.1", port: 1 };

function der(pem: string): Uint8Array {
  return Uint8Array.from(atob(bodyOf(pem)), (mark) => mark.charCodeAt(0));
}

function bodyOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, "");
}

Deno.test("PEM is read in every form that leaves no doubt", () => {
  const forms: [name: string, form: (pem: string) => TlsOptions["ca"]][] = [
    ["as it is", (pem) => pem],
    ["bytes", bytes],
    ["bytes amid others", (pem) => bytes(`x${pem}x`).subarray(1, -1)],
    ["a list", (pem) => [pem]],
    ["a byte order mark", (pem) => `\uFEFF${pem}`],
    ["bytes with a byte order mark", (pem) => bytes(`\uFEFF${pem}`)],
    ["CRLF", (pem) => pem.replaceAll("\n", "\r\n")],
    ["CR", (pem) => pem.replaceAll("\n", "\r")],
    ["literal \\n", (pem) => pem.replaceAll("\n", "\\n")],
    ["literal \\\\n", (pem) => pem.replaceAll("\n", "\\\\n")],
    ["literal \\r\\n", (pem) => pem.replaceAll("\n", "\\r\\n")],
    ["spaces for line breaks", (pem) => pem.replaceAll("\n", " ")],
    ["no line breaks", (pem) => pem.replaceAll("\n", "")],
    ["quotes around it", (pem) => `"${pem}"`],
    ["no last line break", (pem) => pem.trimEnd()],
    ["indented", (pem) => pem.replace(/^/gm, "    ")],
    ["text around it", (pem) => `subject=/CN=x\n${pem}\n# the end`],
    ["the file of both", (pem) => pem === key ? cert + pem : pem + key],
  ];
  for (const [name, form] of forms) {
    assertEquals(readPem(address, "ca", form(ca)), ca, name);
    if (name === "a list") continue;
    assertEquals(readPem(address, "cert", form(cert)), cert, name);
    assertEquals(readPem(address, "key", form(key)), key, name);
  }
  assertEquals(readPem(address, "ca", cert + ca), cert + ca);
  assertEquals(readPem(address, "ca", [cert, bytes(ca)]), cert + ca);
  assertEquals(readPem(address, "ca", ca.replaceAll("CERTIFICATE", "X509 CERTIFICATE")), ca);
  const headed = key.replaceAll("PRIVATE", "EC PRIVATE");
  assertEquals(readPem(address, "key", headed), headed);
  assertEquals(readPem(address, "key", undefined), undefined);
});

const NO_CA = ["tls.ca contains no CERTIFICATE in PEM", "give the whole content of its file"];
const DAMAGED = "tls.ca is damaged; give the whole content of its file";
const LINES = ca.split("\n");

for (
  const [name, tls, ...words] of [
    ["text without PEM", { ca: "/etc/ssl/ca.crt" }, ...NO_CA],
    ["nothing", { ca: "" }, ...NO_CA],
    ["no bytes", { ca: new Uint8Array() }, ...NO_CA],
    ["an empty list", { ca: [] }, ...NO_CA],
    ["a list with one that is damaged", { ca: [ca, "x"] }, ...NO_CA],
    ["a list of client certificates", { cert: [cert], key }, "tls.cert contains no CERTIFICATE"],
    ["an object", { ca: { pem: ca } }, ...NO_CA],
    ["null", { ca: null }, ...NO_CA],
    ["DER", { ca: der(ca) }, ...NO_CA],
    ["a DER key", { cert, key: der(key) }, "tls.key contains no PRIVATE KEY in PEM"],
    ["PEM in base64", { ca: btoa(ca) }, ...NO_CA],
    ["no END line", { ca: ca.slice(0, -40) }, ...NO_CA],
    ["no END before the next", { ca: ca.slice(0, 99) + ca }, DAMAGED],
    ["no BEGIN line", { ca: LINES.slice(1).join("\n") }, ...NO_CA],
    ["four dashes", { ca: ca.replaceAll("-----", "----") }, ...NO_CA],
    ["a letter less", { ca: ca.replace("M", "") }, DAMAGED],
    ["strange letters", { ca: ca.replace("MI", "M*") }, DAMAGED],
    ["the second damaged", { ca: ca + ca.replace("MI", "M*") }, DAMAGED],
    ["an empty block", { ca: LINES[0] + "\n" + LINES.at(-2) }, DAMAGED],
    ["a key for a certificate", { ca: key }, ...NO_CA],
    ["a certificate for a key", { cert, key: cert }, "tls.key contains no PRIVATE KEY in PEM"],
    [
      "an encrypted key",
      { cert, key: key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE") },
      "tls.key is encrypted; give it decrypted",
    ],
    [
      "an older encrypted key",
      { cert, key: key.replace("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n") },
      "tls.key is encrypted; give it decrypted",
    ],
    ["no key", { cert }, "tls.cert needs tls.key; give both or neither"],
    ["no certificate", { key }, "tls.key needs tls.cert; give both or neither"],
    ...Object.entries(falseBytes()).map(([name, ca]) => [name, { ca }, ...NO_CA]),
  ] as [string, Record<string, unknown>, string, ...string[]][]
) {
  Deno.test(`certificates and keys: ${name}`, async () => {
    const { signal } = new AbortController();
    const error = await assertRejects(
      () => dial(address, { signal, tls: tls as TlsOptions }),
      ConnectError,
      "Cannot connect to 127.0.0.1:1 over TLS: ",
    );
    assertEquals([error.code, error.server], ["TLS_FAILED", "127.0.0.1:1"]);
    for (const word of words) assertStringIncludes(error.message, word);
    // Nothing of a key may be repeated.
    for (const line of [...key.split("\n").slice(1, -2), bodyOf(key).slice(9, 29)]) {
      assertEquals(error.message.includes(line), false);
    }
    const connecting = connect("rediss://127.0.0.1:1", { tls: tls as TlsOptions });
    await assertRejects(() => connecting, ConnectError, error.message);
  });
}
