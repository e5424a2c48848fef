import type { SentinelTarget } from "../../mod.ts";
import { startCluster, startSentinels, type TestCluster } from "../servers/mod.ts";

/** Two servers that a sentinel watches over. */
export interface Watched extends AsyncDisposable {
  /** What the cases are to know of them: what to connect to, and the servers' password. */
  readonly settings: { readonly target: SentinelTarget; readonly password: string };
}

/** Starts them; they tell of everything. */
export async function startWatched(): Promise<Watched> {
  const password = "watched";
  const config = { "notify-keyspace-events": "KEA" };
  const all = await startSentinels({ sentinels: 1, password, config });
  return {
    settings: { target: { sentinels: all.urls, name: all.name }, password },
    [Symbol.asyncDispose]: () => all.stop(),
  };
}

/** Starts a cluster that survives what the cases do to it; it tells of everything. */
export function startContractCluster(): Promise<TestCluster> {
  return startCluster({
    replicas: 1,
    // Until a replica has taken over, the other primaries serve their slots.
    config: { "notify-keyspace-events": "KEA", "cluster-require-full-coverage": "no" },
  });
}
