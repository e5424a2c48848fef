/**
 * The HTTP server of the examples that need one. It listens on this machine, and answers requests for
 * this machine and for the hosts that it is given.
 *
 * Any page in a browser can send requests to `localhost`. By DNS rebinding it can also read the
 * answers, under its own name, so the server compares the `Host` header with its own names. No
 * request ends the process.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { env } from "node:process";

/** The headers of every answer. They tell browsers that only pages of this server may use it. */
const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Other hosts to answer for, as in the `Host` header, such as `status.example:8443`. */
const HOSTS: readonly string[] = (env["HOSTS"] ?? "").split(",").filter(Boolean);

/** Sends an answer. */
export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
): void {
  response.writeHead(status, { "content-type": type }).end(body);
}

/**
 * Serves on a port of this machine.
 *
 * @param port the port; 0 for any free one
 * @param answer answers a request for a path, which begins with `/` and has no query
 * @param hosts the hosts to answer for besides this machine; default: those in `$HOSTS`
 */
export async function serveLocally(
  port: number,
  answer: (path: string, response: ServerResponse) => unknown,
  hosts: readonly string[] = HOSTS,
): Promise<Server> {
  const allowed = new Set(hosts.map((host) => host.trim().toLowerCase()));
  const server = createServer(async (request, response) => {
    // A client that disconnects early is not a failure.
    response.on("error", () => response.destroy());
    try {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      const refusal = refuse(request, allowed);
      if (refusal !== null) return send(response, ...refusal);
      await answer(request.url!.split("?")[0]!, response);
    } catch (error) {
      console.error(error);
      if (response.headersSent) response.destroy();
      else send(response, 500, "text/plain", "The server failed\n");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  // For example, too many open files.
  server.on("error", console.error);
  const address = server.address();
  const own = typeof address === "object" && address !== null ? address.port : port;
  for (const name of ["localhost", "127.0.0.1", "[::1]"]) {
    allowed.add(`${name}:${own}`);
    // Clients leave the default port out.
    if (own === 80) allowed.add(name);
  }
  return server;
}

/** Closes a server, and the connections to it. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

/** The status, type and text that refuse a request; null if it is answered. */
function refuse(
  { method, url, headers }: IncomingMessage,
  allowed: ReadonlySet<string>,
): [status: number, type: string, text: string] | null {
  const type = "text/plain";
  if (!allowed.has(headers.host?.toLowerCase() ?? "")) {
    return [421, type, "This server does not answer for that host\n"];
  }
  // Browsers name the requesting page, but not in every request.
  const { origin, "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
  const isForeign = origin !== undefined && !allowed.has(origin.replace(/^https?:\/\//, "")) ||
    // Any page may link to this server.
    site !== undefined && site !== "same-origin" && site !== "none" && mode !== "navigate";
  if (isForeign) return [403, type, "This server answers its own pages only\n"];
  if (method !== "GET") return [405, type, "This server takes GET only\n"];
  if (!url?.startsWith("/")) return [400, type, "The target of a request is a path\n"];
  return null;
}
