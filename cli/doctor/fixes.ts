import type { Address, ServerError } from "../../mod.ts";
import type { Target } from "../connection.ts";

/** The setting without which nothing is sent. */
export const SETTING = "notify-keyspace-events";

/** A word as a shell takes it: in quotes where it would read something else into it. */
export function shellWord(word: string): string {
  return /^[\w.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The user as it may be shown: not where the password stands in it; undefined for the default one. */
export function shownUser({ username, password }: Target): string | undefined {
  return password !== undefined && username?.includes(password) ? "USER" : username;
}

/** The beginning of a `redis-cli` command for a server. The password is asked for, not shown. */
export function redisCli(address: Address, target: Target): string {
  const { tls, tlsFiles, password } = target;
  const username = shownUser(target);
  const where = "path" in address
    ? ["-s", shellWord(address.path)]
    : ["-h", shellWord(address.hostname), "-p", String(address.port)];
  const user = username === undefined ? [] : ["--user", shellWord(username)];
  const words = ["$ redis-cli", ...where, ...user];
  if (password !== undefined) words.push("--askpass");
  if (tls !== undefined) {
    words.push("--tls");
    const { ca, cert, key } = tlsFiles;
    const options = [["--cacert", ca], ["--cert", cert], ["--key", key], ["--sni", tls.serverName]];
    for (const [option, value] of options) {
      if (value !== undefined) words.push(option!, shellWord(value));
    }
  }
  return words.join(" ");
}

/**
 * Whether it is the command that a user may not run; otherwise it is a key or a channel. A right that
 * a user has already, ACL SETUSER refuses to give.
 */
export function lacksCommand(error: ServerError): boolean {
  return /\bto run the '/.test(error.message);
}

/** A service that keeps its settings away from `CONFIG`, and how they are changed there. */
interface Service {
  readonly name: string;
  /** The names of its servers; null where they tell nothing. */
  readonly hosts: RegExp | null;
  fix(letters: string): readonly string[];
}

const SERVICES: readonly Service[] = [
  {
    name: "Amazon ElastiCache",
    hosts: /\.cache\.amazonaws\.com(?:\.cn)?$/i,
    fix: (letters) => [
      "$ aws elasticache modify-cache-parameter-group --cache-parameter-group-name GROUP " +
      `--parameter-name-values ParameterName=${SETTING},ParameterValue=${shellWord(letters)}`,
      "GROUP must be one of your own that the cache uses: a default group cannot be changed",
    ],
  },
  {
    name: "Amazon MemoryDB",
    hosts: /\.memorydb\.[^.]+\.amazonaws\.com(?:\.cn)?$/i,
    fix: (letters) => [
      "$ aws memorydb update-parameter-group --parameter-group-name GROUP " +
      `--parameter-name-values ParameterName=${SETTING},ParameterValue=${shellWord(letters)}`,
      "GROUP must be one of your own that the cluster uses: a default group cannot be changed",
    ],
  },
  {
    name: "Azure Cache for Redis",
    hosts: /\.redis\.cache\.windows\.net$/i,
    fix: (letters) => [
      "$ az redis update --name NAME --resource-group GROUP " +
      `--set ${shellWord(`redisConfiguration.${SETTING}=${letters}`)}`,
      `or in the portal: Advanced settings, ${SETTING}`,
    ],
  },
  {
    name: "Google Memorystore",
    hosts: null,
    fix: (letters) => [
      "$ gcloud redis instances update NAME --region REGION " +
      `--update-redis-config ${shellWord(`${SETTING}=${letters}`)}`,
      "for a cluster: gcloud redis clusters update, with the same options",
    ],
  },
  {
    name: "Aiven",
    hosts: /\.aivencloud\.com$/i,
    fix: (letters) => [
      `$ avn service update NAME -c ${shellWord(`redis_notify_keyspace_events=${letters}`)}`,
    ],
  },
  {
    name: "Heroku",
    hosts: null,
    fix: (letters) => [
      `$ heroku redis:keyspace-notifications NAME --app APP --config ${shellWord(letters)}`,
    ],
  },
];

/** How to set the flags at the service that the name of the host shows; nothing where it shows none. */
export function fixByKnownService(address: Address, letters: string): string[] {
  const host = "path" in address ? "" : address.hostname;
  const known = SERVICES.find(({ hosts }) => hosts?.test(host));
  return known === undefined ? [] : [`${known.name}:`, ...known.fix(letters)];
}

/** How to set the flags where `CONFIG` is not to be had: at the service, or wherever it may be. */
export function fixByService(address: Address, letters: string): string[] {
  const known = fixByKnownService(address, letters);
  if (known.length > 0) return known;
  return [
    `on a server of your own, in redis.conf, and restart it: ${SETTING} ${letters}`,
    ...SERVICES.flatMap(({ name, fix }) => [`${name}:`, ...fix(letters)]),
  ];
}
