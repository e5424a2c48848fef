import { parseUrl } from "./address.ts";
import { KeyspaceNotifications } from "./notifications.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * Connects to a server.
 *
 * @param target its URL: `redis://[[user]:password@]host[:port][/database]`, the same with
 * `rediss://` for TLS, or `redis+unix://[[user]:password@]/path/to/socket[?db=number]`
 * @param options how to connect, and what to do with what comes
 * @returns the server's notifications; nothing is subscribed yet
 * @throws {TypeError} when the URL or an option is malformed
 * @throws {ConnectError} when there is no server there, or none that understands; when it is a node
 * of a cluster and `singleNode` is not set; when TLS cannot be agreed on
 * @throws {UnsupportedError} when this runtime's sockets cannot do what the target or `tls` ask for
 * @throws {AuthError} when it refuses the user or password, or wants some
 * @throws {TimeoutError} when it does not answer in time
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyevent("expired", {
 *   handler: ({ key }) => console.log(`${key} has expired`),
 * });
 * ```
 */
export async function connect(
  target: string | URL,
  options: ConnectOptions = {},
): Promise<KeyspaceNotifications> {
  return await KeyspaceNotifications.open(parseUrl(target), options);
}
