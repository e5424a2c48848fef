/**
 * Sentinels: where they say that a primary is, and what they publish of it. Loaded by `import()`, where
 * a target names sentinels.
 *
 * @module
 */

import { ConnectTurns } from "../connect_turns.ts";
import { Secrets } from "../connection/secrets.ts";
import { formatAddress } from "../connection/transport.ts";
import type { Source } from "../locator.ts";
import { type ConnectOptions, resolveOptions } from "../options.ts";
import type { SentinelTarget } from "../sentinel_target.ts";
import { Sentinels } from "./sentinels.ts";
import { readSentinelTarget } from "./target.ts";
import { followSentinels } from "./watch.ts";

/**
 * Reads a target and its options.
 *
 * @throws {TypeError} when one is not what it must be
 * @throws {RangeError} when a limit is not
 */
export function sourceOfSentinels(target: SentinelTarget, options: ConnectOptions): Source {
  // Sentinels know the servers' password too.
  const secrets = new Secrets();
  const { name, sentinels: given, defaults } = readSentinelTarget(target, options, secrets);
  const resolved = resolveOptions(defaults, options, secrets);
  const settings = { ...resolved, turns: new ConnectTurns(resolved.maxConnecting) };
  const sentinels = new Sentinels(given, { ...settings, name });
  return {
    locator: sentinels,
    settings,
    replicas: (signal) => sentinels.replicas(signal),
    follow: (signal, leave) => {
      followSentinels(sentinels, {
        ...settings,
        name,
        signal,
        onSwitch: (address, sentinel) =>
          leave(`The primary of "${name}" is ${formatAddress(address)} now, says ${sentinel}`),
        onLost: (last) =>
          settings.onWarning(`Cannot follow the sentinels of "${name}": ${last.message}`),
      });
    },
  };
}
