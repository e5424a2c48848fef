import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { type Arguments, type Command, type Context, quoted, UsageError } from "./command.ts";
import { CONNECTION, readTarget } from "./connection.ts";
import { isLoopback } from "./dashboard/guard.ts";
import { Dashboard } from "./dashboard/server.ts";
import { readVariable } from "./environment.ts";
import { formatNodes } from "./format.ts";
import { messageOf } from "./message.ts";
import { openToStay } from "./open.ts";
import type { Output } from "./output.ts";
import { SELECTION, Selection } from "./selection.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 8379;

/** The command that serves a page. */
export const dashboard: Command = {
  summary: "serves a page that shows what happens, and metrics",
  usage: "dashboard [pattern…] [--port N] [--host ADDRESS] [--open] [options]",
  about: [
    "Serves a page that shows events by second and kind, the latest events, the busiest prefixes " +
    "of keys, gaps, and the nodes with the hash slots they cover, until Ctrl-C. /metrics has the " +
    "figures in the form of OpenMetrics, /health answers 200 or 503.",
    "It listens on this machine only. With another --host, requests need a token, which is a part " +
    "of the address that it prints; programs send it as Authorization: Bearer. There is no TLS: " +
    "beyond this machine, put a proxy before it.",
  ],
  groups: [
    SELECTION,
    {
      title: "The page",
      options: {
        port: { type: "string", value: "N", help: `where it listens. Default: ${DEFAULT_PORT}` },
        host: {
          type: "string",
          value: "ADDRESS",
          help: `the address or name to listen on. Default: ${DEFAULT_HOST}`,
        },
        token: {
          type: "string",
          value: "TEXT",
          help: "what requests must know. Default: $KEYWATCH_TOKEN, else for a --host that is " +
            "not of this machine a random one",
        },
        "allow-host": {
          type: "string",
          value: "NAME",
          multiple: true,
          help: "another name that requests may be for, as in the Host header, such as " +
            "keywatch.example: that of a proxy",
        },
        open: { type: "boolean", help: "opens the page in a browser" },
        flushes: { type: "boolean", help: "also shows flushes. Needs CLIENT TRACKING" },
      },
    },
    CONNECTION,
  ],
  examples: [
    "keywatch dashboard --open",
    "keywatch dashboard -u redis://10.0.0.5 --port 9000",
    "keywatch dashboard 'user:*' --host 0.0.0.0",
  ],

  async run(args: Arguments, { output, signal }: Context): Promise<number> {
    const port = readPort(args);
    const host = readHost(args);
    const token = readToken(args, host);
    const target = await readTarget(args);
    const selection = Selection.read(args, target.db);
    const flushes = args.has("flushes");
    const notifications = await openToStay(target, selection, { output, signal }, {
      clientName: "keywatch-dashboard",
      flushes,
    });
    if (notifications === null) return 0;
    let page: Dashboard | undefined;
    try {
      page = await openPage(
        () =>
          Dashboard.open(notifications, {
            host,
            port,
            names: args.texts("allow-host"),
            token,
            flushes,
            output,
          }),
        host,
        port,
      );
      const name = host.includes(":") ? `[${host}]` : host;
      const shown = host === "0.0.0.0" || host === "::" ? "localhost" : name;
      const secret = token === null ? "" : `?token=${encodeURIComponent(token)}`;
      const url = `http://${shown}:${page.port}/${secret}`;
      const nodes = formatNodes(notifications.status().nodes);
      output.note(`watching ${selection} on ${nodes}; Ctrl-C ends it`, "gray");
      output.line(url);
      if (args.has("open")) openBrowser(url, output);
      await page.run(signal, (event) => selection.takes(event));
      return 0;
    } finally {
      await page?.close();
      await notifications.close();
    }
  },
};

async function openPage(
  open: () => Promise<Dashboard>,
  host: string,
  port: number,
): Promise<Dashboard> {
  try {
    return await open();
  } catch (error) {
    const { code } = error as { code?: string };
    const why = code === "EADDRINUSE"
      ? "the port is in use; choose another with --port, or 0 for any"
      : messageOf(error);
    throw new Error(`Cannot listen on ${host}, port ${port}: ${why}`, { cause: error });
  }
}

function readPort(args: Arguments): number {
  const text = args.text("port");
  if (text === undefined) return DEFAULT_PORT;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new UsageError(`--port takes a number from 0 to 65535, not ${quoted(text)}`);
}

function readHost(args: Arguments): string {
  const host = (args.text("host") ?? DEFAULT_HOST).replace(/^\[(.*)\]$/, "$1");
  if (host !== "" && !/[\s/@?#]/.test(host)) return host;
  throw new UsageError("--host takes an address or a name of this machine, such as 0.0.0.0");
}

function readToken(args: Arguments, host: string): string | null {
  const token = args.text("token") ?? readVariable("KEYWATCH_TOKEN");
  if (token !== undefined) {
    if (token.length >= 16) return token;
    throw new UsageError("a token has at least 16 characters");
  }
  return isLoopback(host) ? null : randomBytes(24).toString("base64url");
}

/** Opens a browser, or says why not. */
function openBrowser(url: string, output: Output): void {
  const [program, ...args] = process.platform === "darwin"
    ? ["open"]
    : process.platform === "win32"
    ? ["cmd", "/c", "start", ""]
    : ["xdg-open"];
  const fail = (error: unknown) => {
    output.note(`cannot open a browser: ${messageOf(error)}`, "yellow");
  };
  try {
    const child = spawn(program!, [...args, url], { detached: true, stdio: "ignore" });
    child.on("error", fail);
    child.unref();
  } catch (error) {
    fail(error);
  }
}
