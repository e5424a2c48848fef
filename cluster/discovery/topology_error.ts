/**
 * Why the topology is not known:
 *
 * - `TOPOLOGY_DENIED`: the user may not ask for it;
 * - `TOPOLOGY_UNAVAILABLE`: the command failed in another way, as on a server without cluster mode or
 *   over a lost connection. `cause` is the client's error;
 * - `TOPOLOGY_MALFORMED`: the reply cannot be understood, or names no node;
 * - `TOPOLOGY_TOO_LARGE`: the reply names more nodes than `maxNodes`.
 *
 * @example
 * ```ts
 * import { TopologyError, type TopologyErrorCode } from "@keywatch/keywatch/discovery";
 *
 * const PERMANENT: readonly TopologyErrorCode[] = ["TOPOLOGY_DENIED", "TOPOLOGY_TOO_LARGE"];
 * const isPermanent = (error: TopologyError): boolean => PERMANENT.includes(error.code);
 * ```
 */
export type TopologyErrorCode =
  | "TOPOLOGY_DENIED"
  | "TOPOLOGY_UNAVAILABLE"
  | "TOPOLOGY_MALFORMED"
  | "TOPOLOGY_TOO_LARGE";

/** What to do about it. */
const HINTS: Readonly<Record<TopologyErrorCode, string>> = {
  TOPOLOGY_DENIED:
    "give the user the right to ask (ACL SETUSER … +cluster|shards or +cluster|slots)",
  TOPOLOGY_UNAVAILABLE: "check that this is a node of a cluster",
  TOPOLOGY_MALFORMED: "ask another node, and check that this one runs Redis or Valkey",
  TOPOLOGY_TOO_LARGE: "raise it if the cluster is that large",
};

/**
 * The topology of a cluster could not be learned from a node.
 *
 * @example
 * ```ts
 * import { parseShards, TopologyError } from "@keywatch/keywatch/discovery";
 *
 * try {
 *   parseShards([], { hostname: "127.0.0.1", port: 7000 });
 * } catch (error) {
 *   if (error instanceof TopologyError) console.log(error.code, error.server, error.command);
 *   // "TOPOLOGY_MALFORMED" "127.0.0.1:7000" "CLUSTER SHARDS"
 * }
 * ```
 */
export class TopologyError extends Error {
  /** Always `"TopologyError"`. */
  override readonly name = "TopologyError";
  /** What kind of failure it is. */
  readonly code: TopologyErrorCode;
  /** The node that was asked, as `host:port`; `"the node"` if its address is not known. */
  readonly server: string;
  /** The command that it was asked by. */
  readonly command: string;

  /**
   * Says what failed and why.
   *
   * @param command the command
   * @param server the node that was asked, as `host:port`
   * @param why why it failed
   * @param options `code`: the kind of failure, `TOPOLOGY_MALFORMED` by default; `cause`: the error
   * behind this one
   */
  constructor(
    command: string,
    server: string,
    why: string,
    options: { readonly code?: TopologyErrorCode; readonly cause?: unknown } = {},
  ) {
    const { code = "TOPOLOGY_MALFORMED", ...rest } = options;
    super(`Cannot learn the topology from ${server} by ${command}: ${why}; ${HINTS[code]}`, rest);
    this.code = code;
    this.server = server;
    this.command = command;
  }
}
