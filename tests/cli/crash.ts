/** A program that takes the terminal and then fails in a way that nobody foresaw. */
import process from "node:process";
import { Screen } from "../../cli/top/screen.ts";

const screen = new Screen((text) => process.stdout.write(text), { type() {}, resize() {} });
screen.enter();
screen.draw(["drawn"]);
setTimeout(() => {
  throw new Error("nobody foresaw this");
}, 50);
