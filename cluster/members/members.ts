import { ConnectError } from "../../pubsub/errors.ts";
import { formatAddress, type TcpAddress } from "../../pubsub/mod.ts";
import type { Member } from "./member.ts";
import { inOneError } from "./node_failures.ts";

/** The primaries that are watched, by id. */
export class Members extends Map<string, Member> {
  readonly #isEnded: () => boolean;

  /** @param isEnded says whether nothing is watched any more */
  constructor(isEnded: () => boolean) {
    super();
    this.#isEnded = isEnded;
  }

  /**
   * Does something on each member at once, on those too that join meanwhile.
   *
   * @throws what it failed with, once all have come to an end: {@linkcode inOneError}
   */
  async onEach<T>(work: (member: Member) => Promise<T>): Promise<T[]> {
    const outcomes: T[] = [];
    const asked = new Set<Member>();
    for (;;) {
      const members = [...this.values()].filter((member) => !asked.has(member));
      if (members.length === 0) return outcomes;
      for (const member of members) asked.add(member);
      const failures: Error[] = [];
      const each = await Promise.all(members.map(async (member) => {
        try {
          return [await work(member)];
        } catch (error) {
          // One that was left meanwhile is no concern of what was asked of all.
          if (this.#isEnded() || this.get(member.id) === member) failures.push(error as Error);
          return [];
        }
      }));
      if (failures.length > 0) throw inOneError(failures);
      outcomes.push(...each.flat());
    }
  }

  /**
   * Has primaries that are not connected, and are elsewhere than when they were last dialled, dialled
   * there at once.
   *
   * @param locate where a node is now
   */
  redial(locate: (id: string) => TcpAddress | null): void {
    for (const member of this.values()) {
      const { node, server: { subscriber } } = member;
      if (subscriber.connection !== null) continue;
      const address = locate(member.id);
      const name = address === null ? node : formatAddress(address);
      if (name === node) continue;
      const reason = new ConnectError(`Cannot connect to ${node} any more: it is ${name} now`);
      subscriber.reconnect(reason, "disconnected");
    }
  }

  /**
   * Waits until every primary that can be reached has been, and one at least.
   *
   * @param atOnce how many are connected to at once: those behind them are given as much time again
   * @throws when none can: {@linkcode inOneError}
   */
  async whenReached(atOnce: number): Promise<void> {
    for (let left = this.size - atOnce;; left -= atOnce) {
      const outcomes = await Promise.allSettled(
        Array.from(this.values(), (member) => member.settle([])),
      );
      const failures = outcomes.flatMap((outcome) =>
        outcome.status === "rejected" ? [outcome.reason as Error] : []
      );
      if (failures.length === 0 || failures.length < outcomes.length) return;
      if (left <= 0 || this.#isEnded()) throw inOneError(failures);
    }
  }
}
