import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** What a request gets in place of an answer. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Whom to answer. */
export interface GuardOptions {
  /** Where it listens. */
  readonly host: string;
  readonly port: number;
  /** Other names that the `Host` header may have. */
  readonly names: readonly string[];
  /** What a request must know; null if anybody on this machine may ask. */
  readonly token: string | null;
}

/** Whether an address is of this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * Decides which requests are answered.
 *
 * Any page in a browser can send requests to `localhost`. By DNS rebinding it can also read the
 * answers, under its own name. So the `Host` header must be a name of this server, or an address,
 * which cannot be rebound, and requests of pages from elsewhere are rejected.
 */
export class Guard {
  /** Names that requests may be for at this port, and those with whatever port they were given. */
  readonly #names: ReadonlySet<string>;
  readonly #given: ReadonlySet<string>;
  readonly #port: number;
  readonly #token: string | null;

  constructor({ host, port, names, token }: GuardOptions) {
    this.#given = new Set(names.map((name) => name.trim().toLowerCase()));
    this.#names = new Set(["localhost", host.toLowerCase()]);
    this.#port = port;
    this.#token = token;
  }

  /** Why a request is not answered; null if it is. */
  check({ method, url, headers }: IncomingMessage): Refusal | null {
    if (!this.#knows(headers.host)) {
      return refusal(421, "This server does not answer for that host");
    }
    // Browsers name the requesting page, but not in every request.
    const { origin, "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
    const isForeign = origin !== undefined && !this.#knows(origin.replace(/^https?:\/\//, "")) ||
      // Any page may link to this server.
      site !== undefined && site !== "same-origin" && site !== "none" && mode !== "navigate";
    if (isForeign) return refusal(403, "This server answers its own pages only");
    if (method !== "GET") return refusal(405, "This server takes GET only", { allow: "GET" });
    if (!url?.startsWith("/")) return refusal(400, "The target of a request is a path");
    return this.#checkToken(splitTarget(url), headers);
  }

  #checkToken(
    { path, query }: ReturnType<typeof splitTarget>,
    { authorization, cookie = "" }: IncomingMessage["headers"],
  ): Refusal | null {
    if (this.#token === null) return null;
    const given = query.get("token");
    const name = `keywatch_${this.#port}`;
    if (given !== null && isSame(given, this.#token)) {
      if (path !== "/") return null;
      // Out of the address bar, from where it would be copied.
      const text = encodeURIComponent(this.#token);
      const set = `${name}=${text}; Path=/; HttpOnly; SameSite=Strict`;
      return refusal(303, "The page is at /", { location: "/", "set-cookie": set });
    }
    const kept = cookie.split(/;\s*/).find((one) => one.startsWith(`${name}=`));
    const bearer = /^Bearer (.*)$/i.exec(authorization ?? "")?.[1];
    for (const known of [bearer, decode(kept?.slice(name.length + 1))]) {
      if (known !== undefined && isSame(known, this.#token)) return null;
    }
    const text = "This page needs a token: open the address that keywatch dashboard printed";
    return refusal(401, text, { "www-authenticate": "Bearer" });
  }

  #knows(host: string | undefined): boolean {
    if (host === undefined) return false;
    const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host.toLowerCase()) ?? [];
    if (name === undefined) return false;
    // A proxy has a port of its own, which is a part of the name that was given.
    if (this.#given.has(host.toLowerCase())) return true;
    if (Number(port ?? 80) !== this.#port) return false;
    return this.#names.has(name) || this.#given.has(name) ||
      isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;
  }
}

/** The path and the query of the target of a request. No target makes it fail. */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const [path, ...query] = target.split("?");
  return { path: path!, query: new URLSearchParams(query.join("?")) };
}

function refusal(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  return { status, text: `${text}\n`, headers };
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Takes the same time whatever differs. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
