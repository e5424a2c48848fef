/** Malformed URLs: no piece of a password may come into what is thrown. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { AuthError, connect } from "../../../mod.ts";
import { parseUrl } from "../../../pubsub/connection/address.ts";
import { answer, Peer } from "../peer.ts";

/** Letters that no message, path or name of a function has in this order. */
const WORD = "Qx7Zv9Kj4Wq";
const DIGITS = "90418";

const SECRETS = [
  WORD,
  DIGITS,
  ...[
    "/",
    "?",
    "#",
    "@",
    "%",
    "%zz",
    " ",
    "\\",
    "\t",
    "\n",
    ":",
    "[",
    "]",
    "\0",
    "%2",
    "@@",
    "/@",
    "//",
  ]
    .flatMap((mark) => [`${WORD.slice(0, 5)}${mark}${WORD.slice(5)}`, `${DIGITS}${mark}${WORD}`]),
];
const SCHEMES = [
  ...["redis://", "rediss://", "valkey://", "REDIS://", "redis+unix://", "valkey+unix://"],
  ...["redis:", "redis:/", "redis//", "//", "", "http://", "\\\\", " redis://", "redis:\\\\"],
];
const BEFORE = ["", ":", "u:", "u@", "u:x@", "u:12/", "[", "/", "h/", "h?password=", "h:1#"];
const AFTER = [
  ...["", "@", ":@", "@host", "@host:1/0", "@host/x", "@host:99999", "@host:0", "@host:port"],
  ...["@[::1", "@[::1]:2/3", "@/run/s.sock", "@/run/s.sock?db=x", ":x@host", "/0", "/x@host"],
  ...["@u@host?db=1", "@host/0/1", "@host#", "?auth=1", "://host"],
];

/** Each combination, or one of so many. */
function* urls(step: number): Generator<string> {
  let count = 0;
  for (const secret of SECRETS) {
    for (const scheme of SCHEMES) {
      for (const before of BEFORE) {
        for (const after of AFTER) {
          if (count++ % step === 0) yield `${scheme}${before}${secret}${after}`;
        }
      }
    }
  }
}

const PIECES = [WORD, DIGITS].flatMap((text) =>
  Array.from({ length: text.length - 2 }, (_, at) => text.slice(at, at + 3).toLowerCase())
);

/** All that can be learnt from an error, without the places of the code in its stack. */
function allOf(error: Error): string {
  const own = Object.getOwnPropertyNames(error).map((name) => Reflect.get(error, name));
  const texts = [error.message, String(error.stack), Deno.inspect(error, { depth: 9 })];
  return [...texts, Deno.inspect(own, { depth: 9 })].join("\n").replace(/:\d+:\d+\b/g, "");
}

function assertSilent(error: unknown, url: string): void {
  assertInstanceOf(error, Error);
  const all = allOf(error).toLowerCase();
  const leak = PIECES.find((piece) => all.includes(piece));
  assertEquals(leak, undefined, `of ${JSON.stringify(url)} it says: ${error.message}`);
}

function isMalformed(url: string): boolean {
  try {
    parseUrl(url);
    return false;
  } catch {
    return true;
  }
}

Deno.test("parseUrl repeats nothing of a malformed URL, be it text or a URL object", () => {
  let refused = 0;
  let objects = 0;
  for (const url of urls(29)) {
    try {
      parseUrl(url);
      continue;
    } catch (error) {
      assertInstanceOf(error, TypeError);
      assertSilent(error, url);
      refused++;
    }
    if (!URL.canParse(url)) continue;
    const object = new URL(url);
    if (!isMalformed(object.href)) continue;
    assertSilent(assertThrows(() => parseUrl(object), TypeError), url);
    objects++;
  }
  assert(refused > 3_000, `${refused} were refused`);
  assert(objects > 300, `${objects} objects were refused`);
});

Deno.test("neither seed nodes nor sentinels repeat anything of a malformed URL", async () => {
  let refused = 0;
  for (const url of urls(311)) {
    if (!isMalformed(url)) continue;
    for (
      const target of [
        url,
        [url],
        ["redis://host", url],
        { sentinels: ["redis://host", url], name: "mymaster" },
      ]
    ) {
      assertSilent(await assertRejects(() => connect(target), TypeError), url);
      refused++;
    }
  }
  assert(refused > 500, `${refused} were refused`);
});

Deno.test("what is wrong with URLs that can be read is reported without their passwords", async () => {
  const [one, other] = [`redis://u:${WORD}@host`, `redis://u:${DIGITS}@other`];
  const targets = [
    [one, other],
    [one, `rediss://u:${WORD}@other`],
    [`redis://${WORD}:x@host`, `redis://${DIGITS}:x@other`],
    // The piece of a password that is not percent-encoded is taken for a host.
    [`redis://u:x@${WORD}/1`, `redis://u:x@${DIGITS}/2`],
    `redis://${WORD}@host`,
    { sentinels: [`redis://${WORD}@host`], name: "mymaster" },
    { sentinels: [`redis://u:x@${WORD}/0`], name: "mymaster" },
    { sentinels: [one, `rediss://u:${WORD}@host`], name: "mymaster" },
  ];
  for (const target of targets) {
    assertSilent(await assertRejects(() => connect(target), TypeError), JSON.stringify(target));
  }
});

Deno.test("a server that cannot be reached is reported without the password of its URL", async () => {
  const dial = () => Promise.reject(new Error("refused"));
  for (const url of urls(13)) {
    if (isMalformed(url)) continue;
    const address = JSON.stringify(parseUrl(url).address).toLowerCase();
    if (PIECES.some((piece) => address.includes(piece))) continue;
    assertSilent(await assertRejects(() => connect(url, { dial })), url);
  }
});

Deno.test("a server that refuses a user without a password is reported without the user", async () => {
  for (const protocol of [2, 3] as const) {
    await using stack = new AsyncDisposableStack();
    let peer: Peer;
    do {
      // Its port may have digits in common with what is not to be shown.
      peer = stack.use(new Peer(answer("-WRONGPASS invalid username-password pair\r\n".repeat(2))));
    } while (PIECES.some((piece) => peer.url.includes(piece)));
    const url = peer.url.replace("//", `//${WORD}:@`);
    assertSilent(await assertRejects(() => connect(url, { protocol }), AuthError), url);
  }
});
