import { type Address, mergeFlags, missingFlags, requiredFlags, ServerError } from "../../mod.ts";
import { flagsIn } from "../../pubsub/flag_guard.ts";
import type { Session } from "../session.ts";
import type { Finding, Findings } from "./finding.ts";
import { mendByKnownService, mendByService, redisCli, SETTING, shellWord } from "./mend.ts";
import type { Checkup } from "./checkup.ts";

const TOPIC = "flags";

/** The letters that not every server knows: from which version of Redis on. */
const SINCE: readonly (readonly [letters: string, major: number, minor: number])[] = [
  ["n", 7, 0],
  ["oc", 8, 2],
  ["STIVa", 8, 8],
];

/**
 * Looks whether a server is new enough for what is asked.
 *
 * @param version such as `7.0.15`
 * @returns the letters it does not know, and which version does; null when it knows all
 */
export function tooNew(
  needed: string,
  software: string,
  version: string,
): { letters: string; version: string } | null {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  for (const [letters, needsMajor, needsMinor] of SINCE) {
    const wanted = [...needed].filter((letter) => letters.includes(letter)).join("");
    const isOld = major < needsMajor || major === needsMajor && minor < needsMinor;
    // What Redis 8 has added, Valkey has not.
    if (wanted !== "" && (isOld || software === "valkey" && needsMajor > 7)) {
      return { letters: wanted, version: `Redis ${needsMajor}.${needsMinor}` };
    }
  }
  return null;
}

/** Lays the flags of a server against what is asked for. */
export async function checkFlags(
  session: Session,
  address: Address,
  user: string,
  checkup: Checkup,
  findings: Findings,
): Promise<void> {
  const { target, selection, probe } = checkup;
  const needed = requiredFlags(...selection.needs);
  const reply = await session.ask("CONFIG", "GET", SETTING);
  const flags = reply instanceof ServerError ? null : flagsIn(session.connection, reply);
  if (flags === null) {
    const why = reply instanceof ServerError ? reply.message : `it answers without ${SETTING}`;
    const isForbidden = reply instanceof ServerError && reply.code === "NOPERM";
    return findings.unknown(
      TOPIC,
      `it will not tell ${SETTING} (${why}), of which "${needed}" is needed; ` +
        (probe ? "the probe shows whether it sends anything" : "--probe finds it out"),
      ...(isForbidden
        ? [
          `${redisCli(address, { ...target, username: undefined })} ACL SETUSER ` +
          `${shellWord(user)} '+config|get'`,
        ]
        : []),
      ...(isForbidden ? mendByKnownService(address, needed) : mendByService(address, needed)),
    );
  }
  findings.all.push(judgeFlags(flags, needed, address, checkup, findings));
}

/** What the flags that a server told mean for what is asked for. */
function judgeFlags(
  flags: string,
  needed: string,
  address: Address,
  { target, selection }: Checkup,
  findings: Findings,
): Finding {
  const { missing, unknown } = missingFlags(flags, ...selection.needs);
  const has = `${SETTING} is "${flags}"`;
  if (missing === "" && unknown === "") {
    const text = `${has}, of which "${needed}" is needed`;
    return { level: "right", topic: TOPIC, text, mend: [] };
  }
  const { flags: merged, unsure } = mergeFlags(flags, missing + unknown);
  const command = redisCli(address, target);
  const mend = [
    `${command} CONFIG SET ${SETTING} '${merged}'`,
    "and, so that it survives a restart, where it has a redis.conf:",
    `${command} CONFIG REWRITE`,
    ...(unsure === "" ? [] : [
      `add those of "${unsure}" that are in use: the server does not show them, and this turns ` +
      "them off",
    ]),
    ...mendByKnownService(address, merged),
  ];
  if (missing === "") {
    const text = `${has}; whether "${unknown}" is set, which is needed, it hides behind A`;
    return { level: "unknown", topic: TOPIC, text, mend };
  }
  const deaf = selection.needs.filter((need) => !missingFlags(flags, need).canReceive);
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
    // A server that does not know a letter refuses the whole value.
    mend: findings.has("wrong", "version") ? [] : mend,
  };
}
