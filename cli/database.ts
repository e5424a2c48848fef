import {
  Decoder,
  dial,
  encodePipeline,
  type Reply,
  ServerError,
  type ServerUrl,
  type Transport,
} from "../mod.ts";

/** How long the server may take to answer, in ms. */
const LIMIT = 5_000;

/** What servers say of a database they have not; most clusters have but one. */
const MISSING = /out of range|not allowed in cluster mode/i;

/**
 * Asks a server whether it has a database. Subscribing does not tell: notifications of a database
 * that is not there just never come.
 *
 * @param url the server, which must have been connected to before
 * @param signal gives the question up
 * @returns why it has not, in its own words; null when it has, or does not tell
 */
export async function whyNoDatabase(
  { address, tls, username, password }: ServerUrl,
  database: number,
  signal: AbortSignal,
): Promise<string | null> {
  const auth = password === undefined
    ? []
    : [["AUTH", ...(username === undefined ? [] : [username]), password]];
  const commands = [...auth, ["SELECT", database]];
  const ended = AbortSignal.any([signal, AbortSignal.timeout(LIMIT)]);
  try {
    const transport = await dial(address, { signal: ended, tls: tls ? {} : undefined });
    const close = () => transport.close();
    ended.addEventListener("abort", close);
    try {
      await transport.write(encodePipeline(commands));
      const answer = (await readReplies(transport, commands.length)).at(-1);
      return answer instanceof ServerError && MISSING.test(answer.message) ? answer.message : null;
    } finally {
      ended.removeEventListener("abort", close);
      close();
    }
  } catch {
    // What is wrong with the server shows on the connection that watches.
    return null;
  }
}

/** Reads so many replies, or those that come before the end. */
async function readReplies(transport: Transport, count: number): Promise<Reply[]> {
  const replies: Reply[] = [];
  const decoder = new Decoder({ reply: (reply) => replies.push(reply), push() {} });
  while (replies.length < count) {
    const chunk = await transport.read();
    if (chunk === null) break;
    decoder.write(chunk);
  }
  return replies;
}
