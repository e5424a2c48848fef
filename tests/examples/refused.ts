/** Requests that no server of this project answers, and none of which ends it. */
import { assertEquals, assertStringIncludes } from "@std/assert";

/** Sends bytes, and reads up to the end of the answer's first part, or of the connection. */
export async function exchange(port: number, request: string): Promise<string> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  // A server that has refused the beginning does not read the rest.
  const sent = connection.write(new TextEncoder().encode(request)).catch(() => {});
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  while (!/\r\n\r\n[^]/.test(text)) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) break;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  await sent;
  return text;
}

const long = "x".repeat(100_000);

/** The heads of requests that are answered with an error, by the status; `own` is the port. */
const REFUSED: [status: number, head: (host: string) => string][] = [
  [404, (host) => `GET // HTTP/1.1\r\nHost: ${host}\r\n`],
  [404, (host) => `GET //a:99999 HTTP/1.1\r\nHost: ${host}\r\n`],
  [404, (host) => `GET /// HTTP/1.1\r\nHost: ${host}\r\n`],
  [404, (host) => `GET /\\ HTTP/1.1\r\nHost: ${host}\r\n`],
  [404, (host) => `GET /%zz%E0%A4%A HTTP/1.1\r\nHost: ${host}\r\n`],
  [404, (host) => `GET /__proto__ HTTP/1.1\r\nHost: ${host}\r\n`],
  [404, (host) => `GET /../../deno.json HTTP/1.1\r\nHost: ${host}\r\n`],
  [400, (host) => `GET * HTTP/1.1\r\nHost: ${host}\r\n`],
  [400, (host) => `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n`],
  [400, (host) => `GET http://[/ HTTP/1.1\r\nHost: ${host}\r\n`],
  [400, (host) => `GET nothing HTTP/1.1\r\nHost: ${host}\r\n`],
  [400, () => "\x00\x01\x02\r\n"],
  [431, (host) => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${long}\r\n`],
  [431, (host) => `GET /${long} HTTP/1.1\r\nHost: ${host}\r\n`],
  [405, (host) => `OPTIONS * HTTP/1.1\r\nHost: ${host}\r\n`],
  [405, (host) => `HEAD /events HTTP/1.1\r\nHost: ${host}\r\n`],
  [405, (host) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n`],
  [421, () => "GET / HTTP/1.0\r\n"],
  [400, () => "GET / HTTP/1.1\r\n"],
  ...["evil.test", "", "[::", "localhost", "localhost:1", "evil.test@", "localhost.:"].map((
    name,
  ): [number, (host: string) => string] => [
    421,
    (host) => {
      const named = /[@:]$/.test(name) ? name + host.split(":")[name.endsWith("@") ? 0 : 1] : name;
      return `GET / HTTP/1.1\r\nHost: ${named}\r\n`;
    },
  ]),
  [403, (host) => `GET /events HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://evil.test\r\n`],
  [403, (host) => `GET /events HTTP/1.1\r\nHost: ${host}\r\nOrigin: null\r\n`],
  [403, (host) => `GET /events HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://localhost:1\r\n`],
  [403, (host) => `GET /events HTTP/1.1\r\nHost: ${host}\r\nSec-Fetch-Site: cross-site\r\n`],
];

/** Sends all of those to a server, which must go on answering for a path. */
export async function refusesAll(port: number, path: string): Promise<void> {
  for (const [status, head] of REFUSED) {
    const request = head(`127.0.0.1:${port}`);
    const answer = await exchange(port, `${request}Connection: close\r\n\r\n`);
    const what = request.slice(0, 100);
    assertStringIncludes(answer, `HTTP/1.1 ${status} `, what);
    assertEquals(/"nodes"|<!doctype/i.test(answer), false, what);
  }
  // Only the end of the connection may be received.
  await exchange(port, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const name of ["localhost", "127.0.0.1", "[::1]", "LocalHost"]) {
    const answer = await exchange(port, `GET ${path} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
    assertStringIncludes(answer, "HTTP/1.1 200 ", name);
  }
}
