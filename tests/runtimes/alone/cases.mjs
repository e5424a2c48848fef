/**
 * The rooms without a socket. Run where only `parse/`, `events/` and `resp/` of the package are to be
 * found, so that an import of anything else fails.
 */
import { ok } from "../expect.mjs";
import { rooms } from "./rooms.mjs";

/** Shows that this is run where it is meant to be. */
async function findsNothingElse() {
  for (
    const load of [
      () => import("@keywatch/keywatch"),
      () => import("@keywatch/keywatch/pubsub"),
      () => import("@keywatch/keywatch/cluster"),
    ]
  ) {
    const error = await load().then(() => null, (error) => error);
    ok(error !== null, "the rest of the package is not there");
  }
}

export const alone = [...rooms, { name: "they are alone", run: findsNothingElse }];
