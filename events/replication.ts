/**
 * Events that replicas, and targets of atomic slot migrations, emit under another name than the primary,
 * because effects are replicated and not always commands. Null if they emit nothing. Measured on Redis
 * 7.0, 8.0 and 8.6, and on Valkey 9.1.
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
