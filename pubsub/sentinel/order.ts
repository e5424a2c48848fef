import type { AddressMap } from "../connection/address.ts";
import type { SentinelServer } from "./target.ts";
import { type Dial, formatAddress, type TcpAddress } from "../connection/transport.ts";

/** How many sentinels are learned of at most, whatever is told. */
export const MOST_LEARNED = 32;

/**
 * The sentinels that can be asked, in the order in which they are: those that were given, and the
 * others of which one of them told. Never empty.
 */
export class SentinelOrder {
  readonly #given: readonly SentinelServer[];
  readonly #addressMap: AddressMap;
  #order: readonly SentinelServer[];

  /**
   * Begins with those that were given.
   *
   * @param given never empty
   * @param addressMap says where to dial those that others name
   */
  constructor(given: readonly SentinelServer[], addressMap: AddressMap) {
    this.#given = given;
    this.#addressMap = addressMap;
    this.#order = given;
  }

  /** The one that is asked first. */
  get first(): SentinelServer {
    return this.#order[0]!;
  }

  /** How many there are. */
  get size(): number {
    return this.#order.length;
  }

  /** All of them. */
  [Symbol.iterator](): Iterator<SentinelServer> {
    return this.#order[Symbol.iterator]();
  }

  /** Has a sentinel asked before the others. */
  putFirst(sentinel: SentinelServer): void {
    this.#order = [sentinel, ...this.#order.filter((other) => other !== sentinel)];
  }

  /** Has a sentinel asked after the others. */
  putLast(sentinel: SentinelServer): void {
    this.#order = [...this.#order.filter((other) => other !== sentinel), sentinel];
  }

  /**
   * Takes the other sentinels that one names. Those of which it, or another one before, told are
   * forgotten where it names them no more; those that were given stay. A new one is asked last, in
   * the way in which the one that told of it was.
   */
  learn({ node, dial, credentials }: SentinelServer, others: readonly TcpAddress[]): void {
    const named = new Map(
      others.slice(0, MOST_LEARNED).map((announced) => {
        const place = this.#dialled(announced, dial);
        return [formatAddress(place.address), place];
      }),
    );
    const kept = this.#order.filter((sentinel) =>
      this.#given.includes(sentinel) || sentinel.node === node || named.has(sentinel.node)
    );
    for (const { node } of kept) named.delete(node);
    const learned = Array.from(named, ([node, place]) => ({ node, credentials, ...place }));
    this.#order = [...kept, ...learned];
  }

  /** Where another sentinel is dialled; what the caller's map does wrong is told when it is. */
  #dialled(announced: TcpAddress, dial: Dial): Pick<SentinelServer, "address" | "dial"> {
    try {
      return { address: this.#addressMap(announced), dial };
    } catch (error) {
      return { address: announced, dial: () => Promise.reject(error) };
    }
  }
}
