import { knownFlags, missingOn, type Product } from "../../events/flags.ts";
import { type Address, ServerError } from "../../mod.ts";
import { mergeFlags, requiredFlags } from "../../events/mod.ts";
import { flagsIn } from "../../pubsub/flags.ts";
import type { Session } from "../session.ts";
import type { Finding, Findings } from "./finding.ts";
import { fixByKnownService, fixByService, redisCli, SETTING, shellWord } from "./fixes.ts";
import type { Checkup } from "./checkup.ts";

const TOPIC = "flags";

/** Lays the flags of a server against what is asked for. */
export async function checkFlags(
  session: Session,
  address: Address,
  user: string,
  checkup: Checkup,
  findings: Findings,
): Promise<void> {
  const { target, selection, probe } = checkup;
  const { product } = session.connection;
  const needed = requiredFlags(...selection.needs);
  // A server rejects a whole value for one letter that it does not know.
  const settable = knownFlags(needed, product);
  const reply = await session.ask("CONFIG", "GET", SETTING);
  const flags = reply instanceof ServerError ? null : flagsIn(session.connection, reply);
  if (flags === null) {
    const why = reply instanceof ServerError ? reply.message : `it answers without ${SETTING}`;
    const isForbidden = reply instanceof ServerError && reply.code === "NOPERM";
    return findings.unknown(
      TOPIC,
      `it does not show ${SETTING} (${why}), of which "${needed}" is needed; ` +
        (probe ? "the probe shows whether it sends anything" : "--probe finds it out"),
      ...(isForbidden
        ? [
          `${redisCli(address, { ...target, username: undefined })} ACL SETUSER ` +
          `${shellWord(user)} '+config|get'`,
        ]
        : []),
      ...(isForbidden ? fixByKnownService(address, settable) : fixByService(address, settable)),
    );
  }
  findings.all.push(judgeFlags(flags, needed, product, address, checkup));
}

/** What the flags of a server mean for the selection. */
function judgeFlags(
  flags: string,
  needed: string,
  product: Product,
  address: Address,
  { target, selection }: Checkup,
): Finding {
  const { missing, unknown, settable } = missingOn(product, flags, ...selection.needs);
  const has = `${SETTING} is "${flags}"`;
  if (missing === "" && unknown === "") {
    const text = `${has}, of which "${needed}" is needed`;
    return { level: "right", topic: TOPIC, text, fix: [] };
  }
  const { added, flags: merged, unsure } = mergeFlags(flags, settable + unknown);
  const hidden = knownFlags(unsure, product);
  const command = redisCli(address, target);
  const fix = added === "" ? [] : [
    `${command} CONFIG SET ${SETTING} '${merged}'`,
    "and, so that it survives a restart, where it has a redis.conf:",
    `${command} CONFIG REWRITE`,
    ...(hidden === "" ? [] : [
      `add those of "${hidden}" that are in use: the server does not show them, and this turns ` +
      "them off",
    ]),
    ...fixByKnownService(address, merged),
  ];
  if (missing === "") {
    const text = `${has}; whether "${unknown}" is set, which is needed, it hides behind A`;
    return { level: "unknown", topic: TOPIC, text, fix };
  }
  const deaf = selection.needs.filter((need) => !missingOn(product, flags, need).canReceive);
  const isLacking = deaf.length > 0 || selection.events.length > 0;
  return {
    level: isLacking ? "wrong" : "warning",
    topic: TOPIC,
    text: `${has} and lacks "${missing}": ` +
      (deaf.length === selection.needs.length
        ? "nothing of it comes"
        : deaf.length > 0
        ? `nothing comes of ${deaf.map((need) => `${"events" in need ? need.channel : need}`)}`
        : "a part of it does not come"),
    fix,
  };
}
