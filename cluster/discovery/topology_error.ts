/**
 * An answer about the cluster that cannot be understood, or that says nothing.
 *
 * @example
 * ```ts
 * import { parseShards, TopologyError } from "@keywatch/keywatch/cluster";
 *
 * try {
 *   parseShards([], { hostname: "127.0.0.1", port: 7000 });
 * } catch (error) {
 *   if (error instanceof TopologyError) console.log(error.server, error.command);
 *   // "127.0.0.1:7000" "CLUSTER SHARDS"
 * }
 * ```
 */
export class TopologyError extends Error {
  /** Always `"TopologyError"`. */
  override readonly name = "TopologyError";
  /** The server that answered, as `host:port`. */
  readonly server: string;
  /** What it was asked. */
  readonly command: string;

  /**
   * What was wrong with whose answer.
   *
   * @param command what the server was asked
   * @param server the server that answered, as `host:port`
   * @param why what is wrong with the answer
   * @param options `cause`: the error behind this one
   */
  constructor(command: string, server: string, why: string, options?: ErrorOptions) {
    super(
      `Cannot understand the answer of ${server} to ${command}: ${why}; ` +
        "ask another node, and check that this one is a cluster node of Redis or Valkey",
      options,
    );
    this.server = server;
    this.command = command;
  }
}
