/**
 * The name under which a node that follows another one emits what that one emitted under another name:
 * the effect is replicated, and not always the command. So do the replicas of a primary, and the target
 * of an atomic slot migration. Null stands for what is not repeated at all. Measured on Redis 7.0, 8.0
 * and 8.6, and on Valkey 9.1.
 */
export const REPEATED_AS: Readonly<Record<string, string | null>> = {
  expired: "del",
  evicted: "del",
  hexpired: "hdel",
  spop: "srem",
  incrbyfloat: "set",
  hincrbyfloat: "hset",
  keymiss: null,
};
