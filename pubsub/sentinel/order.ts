import type { AddressMap } from "../connection/address.ts";
import type { SentinelServer } from "./target.ts";
import { type Dial, formatAddress, type TcpAddress } from "../connection/transport.ts";

/** The maximum number of sentinels that are kept. */
export const MOST_LEARNED = 32;

/**
 * The sentinels that can be asked, in the order in which they are: those that were given, and the
 * others that one of them named. Never empty.
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
   * Takes the other sentinels that one names. Those that sentinels named before are forgotten if it no
   * longer names them; those of the target stay. A new one is asked last, with the settings of the one
   * that named it.
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

  /** The address of another sentinel. An error of the caller's map is reported when it is connected to. */
  #dialled(announced: TcpAddress, dial: Dial): Pick<SentinelServer, "address" | "dial"> {
    try {
      return { address: this.#addressMap(announced), dial };
    } catch (error) {
      return { address: announced, dial: () => Promise.reject(error) };
    }
  }
}
