import type { ModelCluster } from "./cluster.ts";
import type { Change, ModelNode, Value } from "./node.ts";

const STRING: Value = { type: "string", expiresAt: null };

/** What creates or writes a key of each type. */
const WRITES: Record<Value["type"], string> = {
  string: "set",
  hash: "hset",
  list: "rpush",
  set: "sadd",
};

/** What is emitted before the event of a command that creates or replaces a key. */
export function preludeOf({ cluster, keys }: ModelNode, key: string): string[] {
  if (!cluster.emitsNew) return [];
  if (!keys.has(key)) return ["new"];
  return cluster.profile.hasOverwritten ? ["overwritten"] : [];
}

/** What `RESTORE … REPLACE` emits: it removes the key first, silently, and then creates it. */
export function restoreEvents({ cluster, keys }: ModelNode, key: string): string[] {
  if (!cluster.emitsNew) return ["restore"];
  const isReplaced = keys.has(key) && cluster.profile.hasOverwritten;
  return ["new", "restore", ...(isReplaced ? ["overwritten"] : [])];
}

/** The event that writes a key of this type. */
export function writeEvent({ type }: Value): string {
  return WRITES[type];
}

function changed(
  key: string,
  value: Value | null,
  events: readonly string[],
  repeated: readonly string[] = events,
): Change {
  return { key, value, events, repeated };
}

/** A write that creates a key of a type, or leaves it its own; of a string, `SET`. */
export function changeOf(node: ModelNode, key: string, type: Value["type"]): Change {
  const known = node.keys.get(key);
  const value = known ?? { type, expiresAt: null };
  const isReplaced = known === undefined || value.type === "string";
  const events = [...(isReplaced ? preludeOf(node, key) : []), writeEvent(value)];
  return changed(key, value, events);
}

/** Commands of clients, as they are executed at the node that serves them. */
export class Operations {
  readonly #cluster: ModelCluster;

  constructor(cluster: ModelCluster) {
    this.#cluster = cluster;
  }

  /** `SET`, with a time to live in ms if one is given. */
  set(key: string, ttl: number | null = null): void {
    this.#cluster.command([key], (node) => {
      const expiresAt = ttl === null ? null : this.#cluster.clock.now + ttl;
      const events = [...preludeOf(node, key), "set", ...(ttl === null ? [] : ["expire"])];
      node.change(changed(key, { type: "string", expiresAt }, events), "SET");
    });
  }

  /** A write that keeps the type of the key, or creates one of the given type. */
  write(key: string, type: Value["type"]): void {
    this.#cluster.command([key], (node) => node.change(changeOf(node, key, type), "a write"));
  }

  del(key: string): void {
    this.#cluster.command([key], (node) => {
      if (node.keys.has(key)) node.change(changed(key, null, ["del"]), "DEL");
    });
  }

  /** `SPOP` of the last member. */
  popLast(key: string): void {
    this.#cluster.command([key], (node) => {
      if (node.keys.get(key)?.type !== "set") return;
      node.change(changed(key, null, ["spop", "del"], ["srem", "del"]), "SPOP");
    });
  }

  expire(key: string, ttl: number): void {
    this.#cluster.command([key], (node) => {
      const value = node.keys.get(key);
      if (value === undefined) return;
      const expiresAt = this.#cluster.clock.now + ttl;
      node.change(changed(key, { ...value, expiresAt }, ["expire"]), "PEXPIRE");
    });
  }

  /** `RENAME` to a key of the same slot. */
  rename(from: string, to: string): void {
    this.#cluster.command([from, to], (node) => this.#rename(node, from, to));
  }

  #rename(node: ModelNode, from: string, to: string): void {
    const value = node.keys.get(from);
    if (value === undefined) return;
    const prelude = preludeOf(node, to);
    node.change(changed(from, null, ["rename_from"]), "RENAME");
    node.change(changed(to, value, [...prelude, "rename_to"]), "RENAME");
  }

  /** `COPY` to a key that is not there. */
  copy(from: string, to: string): void {
    this.#cluster.command([from, to], (node) => {
      const value = node.keys.get(from);
      if (value === undefined || node.keys.has(to)) return;
      node.change(changed(to, value, [...preludeOf(node, to), "copy_to"]), "COPY");
    });
  }

  /** A client's `RESTORE` of a key that was never there. */
  restore(key: string): void {
    this.#cluster.command([key], (node) => {
      if (node.keys.has(key)) return;
      node.change(changed(key, STRING, [...preludeOf(node, key), "restore"]), "RESTORE");
    });
  }

  /** A key goes by eviction. */
  evict(node: ModelNode): void {
    node.run(() => {
      const keys = [...node.keys.keys()].filter((key) => {
        const slot = this.#cluster.slotOf(key);
        return node.owns(slot) && !node.waits(slot);
      });
      if (keys.length === 0) return;
      const key = this.#cluster.random.pick(keys);
      node.change(changed(key, null, ["evicted"], ["del"]), "eviction");
    });
  }

  /** `FLUSHALL`, which emits nothing. */
  flush(node: ModelNode): void {
    node.run(() => {
      if (!node.isPrimary) return;
      node.flushes++;
      for (const one of this.#cluster.nodes) {
        if (one === node || one.primaries.get(one) === node) one.keys.clear();
      }
      this.#cluster.note(`${node.port} is emptied`);
    });
  }
}
