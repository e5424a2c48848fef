import { ClosedError } from "./connection/errors.ts";
import { excerpt } from "./connection/printable.ts";
import { diagnosticsChannels, isDebugRequested } from "./connection/transports/host.ts";
import type { Gap } from "./gap.ts";
import type { Settings } from "./options.ts";
import type { Observed, Observer } from "./reports.ts";

/** For how long a server is lost before that is logged, and the time from one line to the next, in ms. */
const SECOND = 1_000;

/**
 * Observes everything that is reported: logs what nobody listens for, writes the lines of the option
 * `debug`, and publishes on the diagnostics channels.
 */
export function observe(settings: Settings): Observer {
  const debug = settings.debug ??
    (isDebugRequested() ? (line: string) => console.error(`keywatch: ${line}`) : null);
  const publish = publisher();
  const log = settings.quiet ? null : new UnheardLog(settings);
  return {
    observe(type, detail) {
      if (debug !== null) debugLine(type, detail, debug);
      publish?.(type, detail);
      log?.observe(type, detail);
    },
    end: () => log?.end(),
  };
}

/** Writes lines, at most one a second. */
class Lines {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: string | null = null;
  /** How many lines were left out in favour of the one that waits. */
  #skipped = 0;

  write(line: string): void {
    if (this.#timer !== undefined) {
      if (this.#waiting !== null) this.#skipped++;
      this.#waiting = line;
      return;
    }
    console.warn(`keywatch: ${line}`);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, SECOND);
  }

  /** Writes the line that waits. */
  flush(): void {
    const line = this.#waiting;
    if (line === null) return;
    const count = this.#skipped === 0 ? "" : ` (and ${this.#skipped} more before)`;
    this.#waiting = null;
    this.#skipped = 0;
    this.write(line + count);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.flush();
    clearTimeout(this.#timer);
  }
}

/** Logs gaps, lost servers and their return, if nobody listens for gaps. */
class UnheardLog {
  readonly #settings: Settings;
  readonly #gaps = new Lines();
  readonly #servers = new Lines();
  /** Servers that were ready and are not: since when, and what logs it. */
  readonly #lost = new Map<object, { since: number; timer: ReturnType<typeof setTimeout> }>();
  readonly #ready = new Set<object>();
  #advice = "; take gaps with listen({ gaps: true }) or onGap, or hide this with quiet: true";

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get #isHeard(): boolean {
    const { reports } = this.#settings;
    return reports.areGapsRead || reports.hears("gap");
  }

  observe<Type extends keyof Observed>(type: Type, detail: Observed[Type]): void {
    if (type === "node") this.#node(detail as Observed["node"]);
    else if (type === "gap" && !this.#isHeard) {
      this.#gaps.write(describeGap(detail as Gap) + this.#advice);
      this.#advice = "";
    }
  }

  #node({ server, node, state, error }: Observed["node"]): void {
    const lost = this.#lost.get(server);
    if (state === "ready" || state === "degraded") {
      this.#ready.add(server);
      this.#forget(server);
      const ms = lost === undefined ? 0 : Date.now() - lost.since;
      if (ms >= SECOND) this.#log(`${node} is back after ${seconds(ms)}`);
    } else if (state === "closed") {
      this.#forget(server);
      const isLost = this.#ready.delete(server) && !(error instanceof ClosedError);
      if (isLost) this.#log(`${node} is given up: ${error?.message}`);
    } else if (lost === undefined && this.#ready.has(server)) {
      const timer = setTimeout(() => {
        this.#log(`${node} has been lost for a second: ${error?.message}`);
      }, SECOND);
      this.#lost.set(server, { since: Date.now(), timer });
    }
  }

  #forget(server: object): void {
    clearTimeout(this.#lost.get(server)?.timer);
    this.#lost.delete(server);
  }

  #log(line: string): void {
    if (!this.#isHeard && !this.#settings.reports.hears("status")) this.#servers.write(line);
  }

  end(): void {
    for (const server of [...this.#lost.keys()]) this.#forget(server);
    this.#gaps.end();
    this.#servers.end();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function describeGap({ node, reason, from, to, dropped }: Gap): string {
  const what = dropped === undefined ? "notifications" : `${dropped} notifications`;
  return `${what} of ${node} may be missing: ${reason} for ${seconds(to - from)} from ` +
    new Date(from).toISOString();
}

/** Makes the line of what was observed. What servers and errors say is without passwords already. */
function debugLine<Type extends keyof Observed>(
  type: Type,
  detail: Observed[Type],
  write: (line: string) => void,
): void {
  if (type === "node") {
    const { node, state, error, info } = detail as Observed["node"];
    const what = info === null || state !== "ready"
      ? ""
      : ` (${info.software ?? "a server"} ${
        info.version ?? ""
      }, ${info.role}, RESP${info.protocol})`;
    write(`${node} is ${state}${what}${error === null ? "" : `: ${error.message}`}`);
  } else if (type === "subscribe") {
    const { channels } = detail as Observed["subscribe"];
    const names = channels.slice(0, 3).map((channel) => excerpt(`${channel}`, 100));
    const more = channels.length > 3 ? ` and ${channels.length - 3} more` : "";
    write(`subscribed ${names.join(", ")}${more}`);
  } else if (type === "gap") write(`gap: ${describeGap(detail as Gap)}`);
  else if (type === "flush") write(`${(detail as Observed["flush"]).node} was flushed`);
  else if (type === "warning") write(`warning: ${detail}`);
}

/** Returns what publishes on the diagnostics channels; null where the runtime has none. */
function publisher(): Observer["observe"] | null {
  const diagnostics = diagnosticsChannels();
  if (diagnostics === null) return null;
  const [connect, gaps, subscribe, overflow] = ["connect", "gap", "subscribe", "overflow"].map(
    (name) => diagnostics.channel(`keywatch:${name}`),
  ) as [Channel, Channel, Channel, Channel];
  return (type, detail) => {
    if (type === "node" && connect.hasSubscribers) {
      const { node, state, error, info } = detail as Observed["node"];
      const { software = null, version = null, role = null, protocol = null } = info ?? {};
      connect.publish({ node, state, error, software, version, role, protocol });
    } else if (type === "subscribe" && subscribe.hasSubscribers) {
      subscribe.publish({ channels: (detail as Observed["subscribe"]).channels.map(String) });
    } else if (type === "gap") {
      if (gaps.hasSubscribers) gaps.publish(detail);
      if (overflow.hasSubscribers && (detail as Gap).reason === "overflow") {
        overflow.publish(detail);
      }
    }
  };
}

type Channel = ReturnType<NonNullable<ReturnType<typeof diagnosticsChannels>>["channel"]>;
