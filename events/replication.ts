/**
 * Events that replicas, and targets of atomic slot migrations, emit under another name than the primary,
 * because effects are replicated and not always commands. Null if they emit nothing. They are the
 * same on all servers that were examined.
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
