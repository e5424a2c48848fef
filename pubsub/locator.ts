import type { Connection } from "./connection/connection.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import type { Address } from "./connection/transport.ts";

/** Says where the server is that is to be watched, each time it is connected to. */
export interface Locator {
  /** How the server is called until it has been located. */
  readonly name: string;
  /** Where the server is now. */
  locate(signal: AbortSignal): Promise<Address>;
  /**
   * Looks at the server that is at the place given last, before anything is subscribed there.
   *
   * @throws when it is not the one that is to be watched
   */
  inspect(info: ServerInfo, connection: Connection): Promise<void>;
  /** Whether an error of the first connect may pass by itself soon. */
  isPassing(error: Error): boolean;
  /**
   * Forgets the moves of the server from one place to another since this was called last.
   *
   * @returns before which time the first of them had not happened, in ms since the epoch; Infinity
   * when there was none
   */
  takeMove(): number;
}

/** A server that is where its owner says, whatever it says of itself. */
export class PlainLocator implements Locator {
  readonly name: string;
  readonly locate: () => Promise<Address>;

  constructor(name: string, locate: () => Promise<Address>) {
    this.name = name;
    this.locate = locate;
  }

  inspect(): Promise<void> {
    return Promise.resolve();
  }

  isPassing(): boolean {
    return false;
  }

  takeMove(): number {
    return Infinity;
  }
}
