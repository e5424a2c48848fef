import { formatAddress, type TcpAddress } from "../../pubsub/mod.ts";
import { dialAddress, type Topology } from "../discovery/topology.ts";

/** What it takes to know where nodes are. */
export interface NodeAddressesOptions {
  /** What is known of the cluster now. */
  readonly topology: () => Topology | null;
  /** Whether TLS is spoken. */
  readonly tls: boolean;
  /** Where to dial a node in place of the address it announces. */
  readonly addressMap: (address: TcpAddress) => TcpAddress;
}

/** Where the nodes of a cluster are. */
export class NodeAddresses {
  readonly #options: NodeAddressesOptions;

  constructor(options: NodeAddressesOptions) {
    this.#options = options;
  }

  /**
   * Where to dial a node; null when no node says.
   *
   * @throws {TypeError} when the caller's map makes no address of it
   */
  dialled(id: string): TcpAddress | null {
    const { topology, tls, addressMap } = this.#options;
    const node = topology()?.nodes.get(id);
    const address = node === undefined ? null : dialAddress(node, { tls });
    return address === null ? null : addressMap(address);
  }

  /** The same where it is only to be named, or told from others. */
  locate(id: string): TcpAddress | null {
    try {
      return this.dialled(id);
    } catch {
      // Dialling it says so.
      return null;
    }
  }

  /** How a node is called: where it is, or its id where no node says. */
  nameOf(id: string): string {
    const address = this.locate(id);
    return address === null ? id : formatAddress(address);
  }
}
