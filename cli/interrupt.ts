import process from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** A wish of the user's that the program end. */
export interface Interrupt {
  /** Aborted by Ctrl-C, or when the program is asked to end. */
  readonly signal: AbortSignal;
  /** Stops listening. */
  release(): void;
}

/** Listens for Ctrl-C and `kill`. The second one ends the program in the system's way. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  const release = () => {
    for (const name of SIGNALS) process.off(name, interrupt);
  };
  const interrupt = () => {
    release();
    controller.abort(new Error("interrupted"));
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  return { signal: controller.signal, release };
}
