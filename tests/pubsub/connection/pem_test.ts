/** Certificates and keys as people have them: what is accepted, and what is said of the rest. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { connect, type TlsOptions } from "../../../mod.ts";
import { readTls } from "../../../pubsub/connection/option_checks.ts";
import { falseBytes } from "../../false_bytes.ts";
import { makeCertificates } from "../../servers/mod.ts";

const { ca, client: { cert, key } } = await makeCertificates();
const bytes = (text: string) => new TextEncoder().encode(text);

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
    assertEquals(readTls({ ca: form(ca)! }), { ca }, name);
    if (name === "a list") continue;
    const pair = { cert: form(cert), key: form(key) } as { cert: string; key: string };
    assertEquals(readTls(pair), { cert, key }, name);
  }
  assertEquals(readTls({ ca: cert + ca }), { ca: cert + ca });
  assertEquals(readTls({ ca: [cert, bytes(ca)] }), { ca: cert + ca });
  assertEquals(readTls({ ca: ca.replaceAll("CERTIFICATE", "X509 CERTIFICATE") }), { ca });
  const headed = key.replaceAll("PRIVATE", "EC PRIVATE");
  assertEquals(readTls({ cert, key: headed }), { cert, key: headed });
});

Deno.test("bytes that are gone, or not as many as they say, are refused", () => {
  for (const [name, value] of Object.entries(falseBytes())) {
    for (
      const tls of [{ ca: value }, { ca: [value] }, { cert: value, key }, { cert, key: value }]
    ) {
      assertThrows(() => readTls(tls), TypeError, "it is neither text nor bytes", name);
    }
  }
});

Deno.test("given bytes may be overwritten afterwards", () => {
  const given = bytes(key);
  const read = readTls({ cert, key: given });
  given.fill(0);
  assertEquals(read.key, key);
});

const LINES = ca.split("\n");

for (
  const [name, tls, ...words] of [
    ["text without PEM", { ca: "/etc/ssl/ca.crt" }, "tls.ca: it is not PEM text", "read the file"],
    ["nothing", { ca: "" }, "tls.ca: it is empty"],
    ["white space", { ca: " \r\n" }, "tls.ca: it is empty"],
    ["no bytes", { ca: new Uint8Array() }, "tls.ca: it is empty"],
    ["an empty list", { ca: [] }, "tls.ca: the list is empty"],
    ["a list with one that is damaged", { ca: [ca, "x"] }, "tls.ca: it is not PEM text"],
    ["a list of client certificates", { cert: [cert], key }, "tls.cert: it is neither text nor"],
    ["an object", { ca: { pem: ca } }, "tls.ca: it is neither text nor bytes"],
    ["null", { ca: null }, "tls.ca: it is neither text nor bytes"],
    ["DER", { ca: der(ca) }, "tls.ca: it is binary (DER", "convert it to PEM"],
    ["DER read as text", { ca: new TextDecoder().decode(der(ca)) }, "tls.ca: it is binary (DER"],
    ["a DER key", { cert, key: der(key) }, "tls.key: it is binary (DER"],
    [
      "UTF-16",
      { ca: new Uint8Array(Uint16Array.from(ca, (c) => c.charCodeAt(0)).buffer) },
      "UTF-16",
    ],
    ["PEM in base64", { ca: btoa(ca) }, "tls.ca: it is PEM in base64", "decode it first"],
    ["no END line", { ca: ca.slice(0, -40) }, "tls.ca: it is truncated", "give the whole content"],
    ["half of it", { ca: ca.slice(0, ca.length / 2) }, "tls.ca: it is truncated"],
    ["no END before the next", { ca: ca.slice(0, 99) + ca }, "tls.ca: it is truncated"],
    ["no BEGIN line", { ca: LINES.slice(1).join("\n") }, "END line", "without a BEGIN line"],
    ["four dashes", { ca: ca.replaceAll("-----", "----") }, "its BEGIN line is damaged"],
    [
      "a line less",
      { ca: LINES.toSpliced(2, 1).join("\n") },
      "the certificate is damaged or incom",
    ],
    ["a letter less", { ca: ca.replace("M", "") }, "the certificate is damaged or incomplete"],
    ["a letter that became a space", { ca: ca.replace("MII", "M I") }, "the certificate is dam"],

    ["strange letters", { ca: ca.replace("MI", "M*") }, "characters that are not base64"],
    ["the second damaged", { ca: ca + ca.replace("MI", "M*") }, "certificate 2 has characters"],
    ["an empty block", { ca: LINES[0] + "\n" + LINES.at(-2) }, "the certificate is damaged or"],
    ["a key for a certificate", { ca: key }, 'there is no certificate in it but "PRIVATE KEY"'],
    ["a certificate for a key", { cert, key: cert }, "no private key in it but", "CERTIFICATE"],
    ["two keys", { cert, key: key + key }, "there are 2 private keys in it"],
    [
      "an encrypted key",
      { cert, key: key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE") },
      "tls.key: it is encrypted",
    ],
    [
      "an older encrypted key",
      { cert, key: key.replace("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n") },
      "tls.key: it is encrypted",
    ],
    ["no key", { cert }, "tls.cert: tls.key is missing"],
    ["no certificate", { key }, "tls.key: tls.cert is missing"],
    ["an empty name", { serverName: "" }, "tls.serverName: empty text is not a name"],
    ["a number for a name", { serverName: 5 }, "tls.serverName: what is of type number"],
  ] as [string, Record<string, unknown>, string, ...string[]][]
) {
  Deno.test(`certificates and keys: ${name}`, async () => {
    const { message } = assertThrows(() => readTls(tls as TlsOptions), TypeError);
    for (const word of words) assertStringIncludes(message, word);
    // Nothing of a key may be repeated.
    for (const line of [...key.split("\n").slice(1, -2), bodyOf(key).slice(9, 29)]) {
      assertEquals(message.includes(line), false);
    }
    const never = { tls: tls as TlsOptions, dial: () => Promise.reject(new Error("it dialled")) };
    await assertRejects(() => connect("rediss://127.0.0.1:1", never), TypeError, words[0]);
    await assertRejects(
      () =>
        connect({
          sentinels: ["rediss://127.0.0.1:1"],
          name: "mymaster",
          sentinelTls: tls as TlsOptions,
        }, { dial: never.dial }),
      TypeError,
      words[0].replaceAll("tls.", "sentinelTls."),
    );
  });
}
