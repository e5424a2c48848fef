import { ConnectError } from "./connection/errors.ts";

/** What is to be watched as a single server is a node of a cluster. To callers it is a `ConnectError`. */
export class ClusterNodeError extends ConnectError {}
