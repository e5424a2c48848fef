/** What a finished program left: its exit code and all it wrote, both streams in one text. */
export interface Finished {
  code: number;
  stdout: string;
  output: string;
}

/** Runs a program to its end without a terminal; a missing program is exit code 127. */
export async function run(
  command: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Finished> {
  const [program, ...args] = command;
  try {
    const { code, stdout, stderr } = await new Deno.Command(program!, {
      args,
      ...options,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    const out = text.decode(stdout);
    return { code, stdout: out, output: out + text.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return { code: 127, stdout: "", output: error.message };
    }
    throw error;
  }
}
