import type { Connection } from "./connection.ts";
import type { Probe } from "./heartbeat.ts";
import { parseRole, readRole, type Role } from "./role.ts";
import type { Subscriber } from "./subscriber.ts";

/** Whom to ask for its role, and whom to tell. */
export interface RoleCheckOptions {
  /** The server. */
  readonly subscriber: Subscriber;
  /** The server said that it is a primary when it was asked at `askedAt`, in ms since the epoch. */
  onPrimary(role: Role, askedAt: number): void;
  /**
   * The server that was a primary is a replica now.
   *
   * @param since when it was asked last that it said it was a primary, in ms since the epoch
   */
  onDemoted(since: number): void;
}

/** Notices a primary that has become a replica and kept its connections. */
export class RoleCheck {
  /** Asks for the role with each heartbeat: in RESP3 a subscribed connection takes any command. */
  readonly probe: Probe = {
    command: "ROLE",
    onReply: (reply, askedAt) => this.note(parseRole(reply), askedAt),
  };
  readonly #options: RoleCheckOptions;
  #role: string | null = null;
  #primaryAt = 0;

  constructor(options: RoleCheckOptions) {
    this.#options = options;
  }

  /** Takes what the server said of its role when it was asked at `askedAt`, in ms since the epoch. */
  note(answer: Role, askedAt: number): void {
    const { role } = answer;
    const before = this.#role;
    if (role === null) return;
    this.#role = role;
    if (role === "master") {
      this.#primaryAt = askedAt;
      this.#options.onPrimary(answer, askedAt);
    } else if (before === "master") this.#options.onDemoted(this.#primaryAt);
  }

  /** Asks for the role on a connection to the server, where it does not go with the heartbeat. */
  async check(connection: Connection): Promise<void> {
    const { subscriber } = this.#options;
    const { info } = subscriber;
    if (info === null) return;
    const askedAt = Date.now();
    const answer = await readRole(connection, info.protocol);
    // Where it has come back meanwhile, it was asked then.
    if (answer.role === null || subscriber.info !== info) return;
    subscriber.info = { ...info, role: answer.role };
    this.note(answer, askedAt);
  }
}
