/** Formats Markdown as `deno fmt` does. */
export async function formatMarkdown(markdown: string): Promise<string> {
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = fmt.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { success, stdout } = await fmt.output();
  if (!success) throw new Error("Cannot format the document: `deno fmt` failed");
  return new TextDecoder().decode(stdout);
}
