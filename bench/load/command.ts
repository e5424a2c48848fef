import { connect, type Socket } from "node:net";
import { bulk, type Script } from "./frames.ts";

/** A command as it is sent. */
export function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map(bulk).join("")}`;
}

/** A connection on which commands are sent, and what is answered is not looked at. */
export function openCommands(port: number): Socket {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  socket.resume();
  return socket;
}

/** Has the server of the replay send a script to all who have subscribed. */
export function startReplay(port: number, script: Script, rounds: number): void {
  openCommands(port).end(command("REPLAY", JSON.stringify(script), String(rounds)));
}
