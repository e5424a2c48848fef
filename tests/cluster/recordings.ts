import { Decoder, type Reply } from "../../resp/mod.ts";

/** What a node of a real cluster answered; `record.ts` makes them. */
export interface Recording {
  /** What was going on. */
  state: string;
  command: string;
  protocol: 2 | 3;
  /** The port that was asked, on 127.0.0.1. */
  port: number;
  /** The answer, a character for each byte. */
  wire: string;
}

/** A recording, with the server that it is of and the answer as the connection gives it. */
export interface RecordedReply extends Recording {
  server: string;
  reply: Reply;
}

function decode(wire: string): Reply {
  const replies: Reply[] = [];
  const decoder = new Decoder({ reply: (reply) => replies.push(reply), push: () => {} }, {
    strings: "text",
  });
  decoder.write(Uint8Array.from(wire, (character) => character.charCodeAt(0)));
  if (replies.length !== 1) throw new Error("A recording is not one reply");
  return replies[0]!;
}

const folder = new URL("data/", import.meta.url);
const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** All recordings, those of each server together. */
export const RECORDED: readonly RecordedReply[] = names.flatMap((name) => {
  const recordings: Recording[] = JSON.parse(Deno.readTextFileSync(new URL(name, folder)));
  return recordings.map((recording) => ({
    ...recording,
    server: name.replace(".json", ""),
    reply: decode(recording.wire),
  }));
});

/** The recordings of a command, and of one state if it is given. */
export function recorded(command: string, state?: string): RecordedReply[] {
  return RECORDED.filter((one) =>
    one.command.startsWith(command) && (state === undefined || one.state === state)
  );
}
