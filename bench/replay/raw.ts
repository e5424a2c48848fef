import { command } from "../load/command.ts";

interface BunSockets {
  connect(options: {
    hostname: string;
    port: number;
    socket: { data(socket: unknown, chunk: Uint8Array): void };
  }): Promise<{ write(bytes: Uint8Array): number }>;
}

/**
 * The fastest that each runtime reads: mostly into the same memory each time. Resolves when the patterns
 * are confirmed.
 *
 * @param onBytes what comes after that; its memory may be written again when it returns
 */
export async function readRaw(
  port: number,
  patterns: readonly string[],
  onBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  const subscribe = new TextEncoder().encode(command("PSUBSCRIBE", ...patterns));
  const { Deno, Bun } = globalThis as { Deno?: typeof globalThis.Deno; Bun?: BunSockets };
  // What confirms the patterns.
  let skip = patterns.reduce((sum, pattern) => sum + pattern.length + 32, 0);
  let confirm: () => void;
  const confirmed = new Promise<void>((resolve) => confirm = resolve);
  const pass = (bytes: Uint8Array) => {
    const skipped = Math.min(skip, bytes.length);
    skip -= skipped;
    if (skip === 0) confirm();
    if (bytes.length > skipped) onBytes(bytes.subarray(skipped));
  };
  if (Bun !== undefined) {
    const socket = { data: (_: unknown, chunk: Uint8Array) => pass(chunk) };
    const open = await Bun.connect({ hostname: "127.0.0.1", port, socket });
    open.write(subscribe);
    return await confirmed;
  }
  if (Deno !== undefined) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(subscribe);
    const buffer = new Uint8Array(256 * 1024);
    (async () => {
      for (let bytes; (bytes = await conn.read(buffer)) !== null;) pass(buffer.subarray(0, bytes));
    })().catch(() => {});
    return await confirmed;
  }
  const { connect } = await import("node:net");
  const buffer = new Uint8Array(256 * 1024);
  const socket = connect({
    port,
    host: "127.0.0.1",
    // Into the same memory each time, which is what Node has for speed.
    onread: { buffer, callback: (bytes) => (pass(buffer.subarray(0, bytes)), true) },
  });
  socket.write(subscribe);
  await confirmed;
}
