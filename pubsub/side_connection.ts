import type { Connection } from "./connection.ts";
import { ClosedError } from "./errors.ts";
import type { AskServer } from "./subscriber_options.ts";

/** A connection that is open or being opened, and how many questions wait for it or on it. */
interface Opened {
  readonly connection: Promise<Connection>;
  questions: number;
}

/**
 * A second connection to a server whose first one takes no questions: RESP2, once it has subscribed.
 * It is opened for the first question, serves all that come meanwhile, and is closed after the last.
 */
export class SideConnection {
  readonly #open: () => Promise<Connection>;
  #opened: Opened | null = null;

  /** @param open opens it; what it rejects with is what the questions fail with */
  constructor(open: () => Promise<Connection>) {
    this.#open = open;
  }

  /** Sends what a question needs. */
  readonly ask: AskServer = async (question) => {
    const opened = this.#opened ??= { connection: this.#open(), questions: 0 };
    opened.questions++;
    let connection: Connection | null = null;
    try {
      connection = await opened.connection;
      return await question(connection);
    } finally {
      opened.questions--;
      const isOver = connection === null || connection.over !== null;
      if (this.#opened === opened && (isOver || opened.questions === 0)) this.#opened = null;
      if (opened.questions === 0) {
        connection?.close(
          new ClosedError(`The connection to ${connection.server} served its purpose`),
        );
      }
    }
  };
}
