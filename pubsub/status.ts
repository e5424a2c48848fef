/** How things stand with one server. */
export interface NodeStatus {
  /** The server, as `host:port`. */
  readonly node: string;
  /** `ready`: connected and listening. `closed`: closed, or lost. */
  readonly state: "ready" | "closed";
  /** Since when it has been in that state, in ms since the epoch. */
  readonly since: number;
  /** What the server calls itself, such as `redis` or `valkey`; null when it does not tell. */
  readonly software: string | null;
  /** Its version; null when it does not tell. */
  readonly version: string | null;
  /** `master` or `replica`, as it said when the connection was made; null when it did not tell. */
  readonly role: string | null;
  /** The protocol spoken. */
  readonly protocol: 2 | 3;
  /** The channels and patterns it has confirmed. */
  readonly subscriptions: readonly string[];
  /** Its `notify-keyspace-events` when last asked; `unknown` when it would not tell. */
  readonly flags: string;
  /** Messages received. */
  readonly messages: number;
  /** Messages that were no well-formed notification, and so were not delivered. */
  readonly malformed: number;
  /** Bytes received. */
  readonly bytes: number;
  /** When the last message came, in ms since the epoch; null before the first. */
  readonly lastMessage: number | null;
}

/** How things stand. */
export interface Status {
  /** `ready`: everything wanted is confirmed. `closed`: closed, or lost. */
  readonly state: "ready" | "subscribing" | "closed";
  /** Each server. */
  readonly nodes: readonly NodeStatus[];
  /** Gaps so far. */
  readonly gaps: number;
  /** Notifications that wait to be read from the merged stream. */
  readonly queued: number;
}
