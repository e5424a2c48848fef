import { runRooms } from "./run.mjs";

export default {
  test() {
    if (!runRooms((line) => console.log(JSON.stringify(line)))) {
      throw new Error("A room does not work in a worker");
    }
  },
};
