/**
 * Waits until something is so, however slow the machine; fails only when it does not come about in
 * half a minute.
 */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`This did not come about: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
