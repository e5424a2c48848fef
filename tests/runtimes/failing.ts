import type { SentinelTarget } from "../../mod.ts";
import { startCluster, startSentinels } from "../servers/mod.ts";

/** What the cases are to know of servers that fail over. */
export interface Failing {
  /** What to connect to, and the password of the two servers that the sentinel watches over. */
  readonly sentinels: { readonly target: SentinelTarget; readonly password: string };
  readonly cluster: { readonly urls: readonly string[] };
}

/** Starts two servers that a sentinel watches over, and a cluster; they emit every event. */
export async function startFailing(stack: AsyncDisposableStack): Promise<Failing> {
  const password = "watched";
  const config = { "notify-keyspace-events": "KEA" };
  const all = stack.use(await startSentinels({ sentinels: 1, password, config }));
  const cluster = stack.use(
    await startCluster({
      replicas: 1,
      // Until a replica has taken over, the other primaries serve their slots.
      config: { ...config, "cluster-require-full-coverage": "no" },
    }),
  );
  return {
    sentinels: { target: { sentinels: all.urls, name: all.name }, password },
    cluster: { urls: cluster.urls },
  };
}
