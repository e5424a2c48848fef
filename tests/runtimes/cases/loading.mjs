/** The package as a whole. */
import { equal, ok } from "../kit.mjs";

/** By literals, which every runtime and bundler can follow. */
async function loadsEverything(scene) {
  const entries = {
    ".": await import("@keywatch/keywatch"),
    "./resp": await import("@keywatch/keywatch/resp"),
    "./parse": await import("@keywatch/keywatch/parse"),
    "./events": await import("@keywatch/keywatch/events"),
    "./connection": await import("@keywatch/keywatch/connection"),
    "./pubsub": await import("@keywatch/keywatch/pubsub"),
    "./cluster": await import("@keywatch/keywatch/cluster"),
    "./discovery": await import("@keywatch/keywatch/discovery"),
    "./cli": await import("@keywatch/keywatch/cli"),
  };
  equal(Object.keys(entries).sort(), [...scene.settings.exports].sort(), "the exports");
  const values = new Map();
  for (const [entry, names] of Object.entries(entries)) {
    for (const [name, value] of Object.entries(names)) {
      ok((values.get(name) ?? value) === value, `${name} of ${entry} is that of the other entries`);
      values.set(name, value);
    }
  }
  equal(typeof entries["./cli"].main, "function");
  equal(entries["./cluster"].hashSlot("123456789"), 12739);
}

export const loading = [{ name: "every export can be imported", run: loadsEverything }];
