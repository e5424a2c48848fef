import type { GapReason } from "../../mod.ts";
import type { SlotRange } from "./ledger.ts";
import { until } from "../servers/mod.ts";
import { admin, FLAGS, PASSWORD, QUEUE, type SingleStage, type Stage } from "./stage.ts";

/** Something that goes wrong on a stage. */
export interface Fault<On extends Stage = SingleStage> {
  readonly name: string;
  /** Faults of different parts can happen at the same time. */
  readonly part: "server" | "network" | "consumer";
  /** How long it lasts, in ms: at least, and at most. */
  readonly lasts: readonly [least: number, most: number];
  /** Whether only the heartbeat can find it out. */
  readonly silent: boolean;
  /**
   * Whether attempts to connect succeed all the while: then no pause between two of them makes a
   * gap longer, unless another fault ended the connection a moment ago.
   */
  readonly reachable?: boolean;
  /** The gap it leaves when it lasts longest; null when it need not leave any. */
  readonly leaves: GapReason | null;
  /** What it may leave in its place on a busy machine, where it takes longer than a heartbeat. */
  readonly orLeaves?: GapReason;
  /** How much earlier than it a gap may begin on its account, in ms; no more than usual if left out. */
  readonly early?: number;
  /** The slots it concerned, asked when it is over, in a cluster; all of them if left out. */
  slots?(stage: On): readonly SlotRange[];
  /** @param ms how long it is going to last */
  begin(stage: On, ms: number): Promise<void> | void;
  /** Resolves once it is over. */
  end(stage: On): Promise<void> | void;
  /** What follows when the watcher is back, and must not trouble it. */
  aftermath?(stage: On): Promise<void>;
}

const INSTANT = [0, 0] as const;

async function killSubscriber(stage: SingleStage): Promise<void> {
  await admin(stage, "CLIENT", "KILL", "TYPE", "pubsub");
}

export const serverKilled: Fault = {
  name: "server killed and restarted",
  part: "server",
  lasts: [0, 1500],
  silent: false,
  leaves: "disconnected",
  begin: async ({ server }) => void await server.kill(),
  end: ({ server }) => server.restart(FLAGS),
};

export const clientKill: Fault = {
  name: "CLIENT KILL",
  part: "server",
  lasts: INSTANT,
  silent: false,
  reachable: true,
  leaves: "disconnected",
  begin: killSubscriber,
  end: () => {},
};

// The longest is much longer than a heartbeat, also where that is late because the machine is busy.

export const clientPause: Fault = {
  name: "CLIENT PAUSE",
  part: "server",
  lasts: [200, 5000],
  silent: true,
  leaves: "unresponsive",
  begin: async (stage, ms) => void await admin(stage, "CLIENT", "PAUSE", ms, "ALL"),
  end: async (stage) => void await admin(stage, "PING"),
};

export const serverHangs: Fault = {
  name: "server hangs",
  part: "server",
  lasts: [200, 5000],
  silent: true,
  leaves: "unresponsive",
  begin: ({ server }) => server.pause(),
  end: async (stage) => {
    await stage.server.resume();
    await admin(stage, "PING");
  },
};

export const flagsLost: Fault = {
  name: "server restarted without its flags",
  part: "server",
  lasts: [0, 1500],
  silent: false,
  leaves: "disconnected",
  begin: ({ server }) => server.restart({ "notify-keyspace-events": '""' }),
  end: async (stage) => {
    for (const [name, value] of Object.entries(FLAGS)) {
      await admin(stage, "CONFIG", "SET", name, value);
    }
  },
};

export const passwordChanged: Fault = {
  name: "password changed and changed back",
  part: "server",
  lasts: [0, 1500],
  silent: false,
  leaves: "disconnected",
  begin: async (stage) => {
    await admin(stage, "CONFIG", "SET", "requirepass", "another");
    await killSubscriber(stage);
  },
  end: async (stage) => void await admin(stage, "CONFIG", "SET", "requirepass", PASSWORD),
};

export const cut: Fault = {
  name: "connection cut",
  part: "network",
  lasts: INSTANT,
  silent: false,
  reachable: true,
  leaves: "disconnected",
  begin: ({ proxy }) => proxy.cut(),
  end: () => {},
};

export const cutInFrame: Fault = {
  name: "connection cut in a frame",
  part: "network",
  lasts: INSTANT,
  silent: false,
  reachable: true,
  leaves: "disconnected",
  begin: ({ proxy }) => proxy.cutInFrame(),
  end: () => {},
};

export const reset: Fault = {
  name: "connection reset",
  part: "network",
  lasts: INSTANT,
  silent: false,
  reachable: true,
  leaves: "disconnected",
  begin: ({ proxy }) => proxy.reset(),
  end: () => {},
};

export const refused: Fault = {
  name: "connections refused",
  part: "network",
  lasts: [0, 1500],
  silent: false,
  leaves: "disconnected",
  begin: ({ proxy }) => proxy.refuse(),
  end: ({ proxy }) => proxy.restore(),
};

export const halfOpen: Fault = {
  name: "half-open connection",
  part: "network",
  lasts: INSTANT,
  silent: true,
  reachable: true,
  leaves: "unresponsive",
  begin: ({ proxy }) => proxy.halfOpen(),
  end: () => {},
};

export const blackHole: Fault = {
  name: "network swallows everything",
  part: "network",
  lasts: [500, 5000],
  silent: true,
  leaves: "unresponsive",
  begin: ({ proxy }) => proxy.blackHole(),
  end: ({ proxy }) => proxy.restore(),
};

export const slow: Fault = {
  name: "slow network",
  part: "network",
  lasts: [500, 3000],
  silent: true,
  leaves: null,
  begin: ({ proxy }) => proxy.slow({ rate: 20_000, delay: 50 }),
  end: ({ proxy }) => proxy.restore(),
};

export const slowAndCut: Fault = {
  name: "slow network, then cut",
  part: "network",
  orLeaves: "unresponsive",
  lasts: [500, 3000],
  silent: true,
  leaves: "disconnected",
  begin: ({ proxy }) => proxy.slow({ rate: 20_000, delay: 50 }),
  end: async ({ proxy }) => {
    proxy.cut();
    await proxy.restore();
  },
};

export const outputLimit: Fault = {
  name: "output buffer limit hit",
  part: "network",
  orLeaves: "unresponsive",
  lasts: INSTANT,
  silent: true,
  reachable: true,
  leaves: "disconnected",
  begin: async (stage) => {
    const { proxy, writer } = stage;
    await admin(stage, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 0 0");
    proxy.stall();
    writer.padding = 16_000;
    await until("the server gives the watcher up", async () => {
      return await admin(stage, "CLIENT", "LIST", "TYPE", "pubsub") === "";
    });
    writer.padding = 0;
  },
  end: async (stage) => {
    await stage.proxy.restore();
    await admin(stage, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60");
  },
};

export const consumerStalls: Fault = {
  name: "consumer stalls until overflow",
  part: "consumer",
  lasts: INSTANT,
  silent: false,
  reachable: true,
  leaves: "overflow",
  begin: async ({ watcher, book }) => {
    watcher.gate.close();
    const { length } = book.writes;
    await until("the queue overflows", () => book.writes.length > length + QUEUE + 500);
  },
  end: ({ watcher }) => watcher.gate.open(),
};

export const FAULTS: readonly Fault[] = [
  serverKilled,
  clientKill,
  clientPause,
  serverHangs,
  flagsLost,
  passwordChanged,
  cut,
  cutInFrame,
  reset,
  refused,
  halfOpen,
  blackHole,
  slow,
  slowAndCut,
  outputLimit,
  consumerStalls,
];
