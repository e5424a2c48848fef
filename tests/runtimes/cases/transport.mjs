/**
 * What every transport keeps to, whatever it goes through. The peers are those of `peers.ts`, which
 * do what the first line they receive says.
 */
import { dial } from "@keywatch/keywatch/pubsub";
import { equal, ok, sleep } from "../kit.mjs";

const utf8 = new TextEncoder();
const never = new AbortController().signal;

/** More than the buffers of two ends of a socket hold together. */
const MUCH = 64 * 1024 * 1024;

async function open({ dial, way }, act) {
  const transport = await dial(way.peer, { signal: never, tls: way.tls });
  await transport.write(utf8.encode(`${act}\n`));
  return transport;
}

/** What becomes of a promise that may settle either way, as long as it does. */
function settled(promise) {
  return promise.then(() => "resolved", (error) => error);
}

async function mustReject(promise, what) {
  const error = await settled(promise);
  ok(error instanceof Error, `${what} rejects with an Error, not with ${error}`);
  return error;
}

/** What a promise resolves to; undefined if it has not within 100 ms. */
async function soon(promise) {
  let timer;
  const late = new Promise((resolve) => timer = setTimeout(resolve, 100));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(transport, length) {
  const chunks = [];
  for (let read = 0; read < length;) {
    const chunk = await transport.read();
    ok(chunk !== null, `it goes on after ${read} of ${length} bytes`);
    ok(chunk.length > 0, "a chunk is not empty");
    chunks.push(chunk);
    read += chunk.length;
  }
  return chunks;
}

async function carriesBothWays(scene) {
  const transport = await open(scene, "echo");
  const sent = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 8)) >> 3);
  const written = [
    transport.write(sent.subarray(0, 10)),
    transport.write(sent.subarray(10, 2_000_000)),
    transport.write(sent.subarray(2_000_000)),
  ];
  let at = 0;
  for (const chunk of await readAll(transport, sent.length)) {
    ok(
      chunk.every((byte, offset) => byte === sent[at + offset]),
      `what comes after ${at} is intact`,
    );
    at += chunk.length;
  }
  await Promise.all(written);
  equal(at, sent.length);
  transport.close();
}

async function keepsChunks(scene) {
  const transport = await open(scene, "count");
  const chunks = await readAll(transport, 256_000);
  let at = 0;
  for (const chunk of chunks) {
    for (const byte of chunk) {
      if (byte !== Math.floor(at / 1_000)) throw new Error(`Byte ${at} is ${byte}`);
      at++;
    }
  }
  transport.close();
}

async function waitsForReader(scene) {
  const transport = await open(scene, "count");
  await sleep(50);
  const chunks = await readAll(transport, 256_000);
  equal(chunks.at(-1).at(-1), 255);
  equal(await transport.read(), null);
  transport.close();
}

/** What a peer sends that floods: see `peers.ts`. */
const FLOOD = 96 * 1024 * 1024;

async function holdsLittle(scene) {
  const transport = await open(scene, "flood");
  const control = await open(scene, "flooded");
  const ask = async () => {
    const text = new TextDecoder().decode(await control.read());
    await control.write(utf8.encode("?"));
    return Number(text);
  };
  // The flood stands still once everything between the two ends is full.
  let taken = 0;
  for (let still = 0; still < 5;) {
    await sleep(100);
    const now = await ask();
    still = now > 0 && now === taken ? still + 1 : 0;
    taken = now;
  }
  ok(taken < FLOOD / 2, `a flood that nobody reads stands still, not after ${taken} bytes`);
  ok((transport.unread ?? 0) < FLOOD / 16, `little is unread, not ${transport.unread} bytes`);
  let read = 0;
  for (let chunk; (chunk = await transport.read()) !== null;) read += chunk.length;
  equal(read, FLOOD, "the number of bytes read after all");
  equal(transport.unread ?? 0, 0, "the number of unread bytes in the end");
  transport.close();
  control.close();
}

async function endsWithPeer(scene) {
  const transport = await open(scene, "end");
  equal(await transport.read(), null);
  equal(await transport.read(), null);
  transport.close();
  equal(await transport.read(), null);
}

async function closes(scene) {
  const transport = await open(scene, "silent");
  const waiting = transport.read();
  transport.close();
  transport.close();
  equal(await waiting, null);
  equal(await transport.read(), null);
  await mustReject(transport.write(new Uint8Array(10)), "a write after close");
}

async function dropsWhenClosed(scene) {
  const transport = await open(scene, "count");
  await readAll(transport, 1_000);
  await sleep(50);
  transport.close();
  equal(await transport.read(), null);
}

async function rejectsWhenReset(scene) {
  const transport = await open(scene, "reset");
  const writes = [transport.write(new Uint8Array(MUCH)), transport.write(new Uint8Array(10))];
  for (const write of writes) await mustReject(write, "a write that the peer does not take");
  while (await transport.read().catch(() => null) !== null);
  await mustReject(transport.write(new Uint8Array(10)), "a write after that");
  transport.close();
  equal(await transport.read(), null);
}

async function rejectsWhenClosed(scene) {
  const transport = await open(scene, "stall");
  const writes = [transport.write(new Uint8Array(MUCH)), transport.write(new Uint8Array(10))];
  const outcomes = writes.map(settled);
  equal(await soon(outcomes[0]), undefined, "a write that nobody reads");
  transport.close();
  for (const write of writes) await mustReject(write, "a write under way when it is closed");
}

async function settlesHalfClosed(scene) {
  const transport = await open(scene, "finish");
  equal(await transport.read(), null);
  const write = settled(transport.write(new Uint8Array(1_000_000)));
  await soon(write);
  transport.close();
  await write;
}

async function refusesWhereNobodyListens({ dial, way }) {
  const error = await mustReject(dial(way.nobody, { signal: never, tls: way.tls }), "the dial");
  ok(error.message.length > 0, "the error says something");
}

async function givesUp({ dial, way }) {
  const reason = new Error("enough");
  for (const to of [way.peer, way.nobody]) {
    const signal = AbortSignal.abort(reason);
    equal(await settled(dial(to, { signal, tls: way.tls })) === reason, true, "given up before");
  }
  const during = new AbortController();
  const dialling = settled(dial(way.peer, { signal: during.signal, tls: way.tls }));
  during.abort(reason);
  equal(await dialling === reason, true, "given up meanwhile");
}

async function givesUpHandshake({ dial, way }) {
  if (way.mute === undefined) return;
  const during = new AbortController();
  const reason = new Error("enough");
  const dialling = settled(dial(way.mute, { signal: during.signal, tls: way.tls }));
  equal(await soon(dialling), undefined, "a handshake with a silent peer");
  during.abort(reason);
  equal(await dialling === reason, true, "given up while shaking hands");
}

async function forgetsSignal({ dial, way }) {
  const signals = new AbortController();
  const { signal } = signals;
  // More than some runtimes let listen to one signal without a warning.
  for (let round = 0; round < 20; round++) {
    const transport = await dial(way.peer, { signal, tls: way.tls });
    transport.close();
  }
  const transport = await dial(way.peer, { signal, tls: way.tls });
  signals.abort(new Error("too late"));
  await transport.write(utf8.encode("echo\nstill here"));
  equal(new TextDecoder().decode(await transport.read()), "still here");
  transport.close();
}

/** Each has a `name`, and `run({ dial, way })`, which throws when the transport does not keep to it. */
export const transportCases = [
  { name: "carries bytes both ways, whole and in order", run: carriesBothWays },
  { name: "never writes to what it has handed out", run: keepsChunks },
  { name: "loses nothing while nobody reads, nor at the end", run: waitsForReader },
  { name: "holds little of what nobody reads, and loses none of it", run: holdsLittle },
  { name: "reads null when the peer has ended", run: endsWithPeer },
  { name: "closes at once, and twice", run: closes },
  { name: "gives out nothing more once it is closed", run: dropsWhenClosed },
  { name: "rejects writes that a peer that resets has not taken", run: rejectsWhenReset },
  { name: "rejects writes under way when it is closed", run: rejectsWhenClosed },
  { name: "settles writes to a peer that has ended its side", run: settlesHalfClosed },
  { name: "rejects where nobody listens", run: refusesWhereNobodyListens },
  { name: "is given up before and while it connects", run: givesUp },
  { name: "is given up while it shakes hands", run: givesUpHandshake },
  { name: "releases the signal once it is open", run: forgetsSignal },
];

/** Those, of the package's own transport. */
export const transporting = ["TCP", "TLS", "a unix socket"].flatMap((through) =>
  transportCases.map(({ name, run }) => ({
    name: `a transport over ${through} ${name}`,
    run: ({ settings }) => run({ dial, way: settings.ways.find(({ name }) => name === through) }),
    ...(through === "a unix socket" ? { needs: "unix sockets" } : {}),
  }))
);
