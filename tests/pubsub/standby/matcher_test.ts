import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import { REPEATED_AS } from "../../../events/replication.ts";
import { type MatchedStream, StandbyMatcher } from "../../../pubsub/standby/matcher.ts";

interface Event {
  readonly id: string;
  readonly event: string;
  readonly bytes: number;
}

/** What a command emits on the primary, and on a replica. */
type Command = readonly [primary: readonly string[], replica: readonly string[]];

const PLAIN: Readonly<Record<string, Command>> = {
  set: [["set"], ["set"]],
  append: [["append"], ["append"]],
  del: [["del"], ["del"]],
  expired: [["expired"], ["del"]],
  float: [["incrbyfloat"], ["set"]],
  setex: [["set", "expire"], ["set", "expire"]],
  miss: [["keymiss"], []],
};

const ODD: Readonly<Record<string, Command>> = {
  ...PLAIN,
  pop: [["spop"], ["srem"]],
  popAll: [["spop", "del"], ["del"]],
  popSome: [["spop"], ["srem", "srem"]],
  group: [["xgroup-createconsumer"], ["xgroup-createconsumer", "xgroup-setid"]],
  past: [["hset", "hset", "hdel"], ["hset", "hdel"]],
};

type Item = Event | { readonly offset: number };

/** A server: what it has executed, and what it has written to a client that subscribed at the start. */
class Server {
  offset = 0;
  readonly output: Item[] = [];

  execute(id: string, events: readonly string[]): void {
    this.offset++;
    for (const event of events) this.output.push({ id, event, bytes: 1 });
  }

  mark(): void {
    this.output.push({ offset: this.offset });
  }
}

/** A connection: reads what a server writes from now on. */
class Reader {
  readonly server: Server;
  readonly stream: MatchedStream<Event>;
  #at: number;

  constructor(server: Server, stream: MatchedStream<Event>) {
    this.server = server;
    this.stream = stream;
    this.#at = server.output.length;
  }

  next(): Item | undefined {
    return this.server.output[this.#at++] ?? void this.#at--;
  }
}

/** A primary, its replica, and a client of both. */
class Shard {
  readonly #commands: Readonly<Record<string, Command>>;
  readonly #matcher = new StandbyMatcher<Event>({ items: 1_000, bytes: 1_000 });
  readonly #primary = new Server();
  readonly #replica = new Server();
  readonly #history: { id: string; command: Command }[] = [];
  #isPrimaryAlive = true;
  #first: Reader | null;
  readonly #second: Reader;
  readonly delivered: Event[] = [];
  readonly undone: Event[] = [];
  readonly unknown = new Set<string>();
  /** How often the client could not go on without a gap. */
  gaps = 0;

  constructor(commands: Readonly<Record<string, Command>>) {
    this.#commands = commands;
    this.#first = new Reader(this.#primary, this.#matcher.begin());
    this.#second = new Reader(this.#replica, this.#matcher.begin());
  }

  /** Executes a command at the primary, or at the promoted replica. */
  execute(id: string, name: string): void {
    const command = this.#commands[name]!;
    if (!this.#isPrimaryAlive) this.replicate(Infinity);
    this.#history.push({ id, command });
    if (this.#isPrimaryAlive) this.#primary.execute(id, command[0]);
    else this.#replica.execute(id, command[0]);
  }

  replicate(count: number): void {
    if (!this.#isPrimaryAlive) return;
    for (; count > 0 && this.#replica.offset < this.#primary.offset; count--) {
      const { id, command } = this.#history[this.#replica.offset]!;
      this.#replica.execute(id, command[1]);
    }
  }

  mark(): void {
    if (this.#isPrimaryAlive) this.#primary.mark();
    this.#replica.mark();
  }

  readFirst(count: number): void {
    if (this.#first !== null) this.#read(this.#first, count);
  }

  readSecond(count: number): void {
    this.#read(this.#second, count);
  }

  #read(reader: Reader, count: number): void {
    for (
      let item = reader.next();
      item !== undefined;
      item = --count > 0 ? reader.next() : undefined
    ) {
      if ("offset" in item) this.#matcher.mark(reader.stream, item.offset);
      else {
        const outcome = this.#matcher.event(reader.stream, item);
        if (outcome !== "keep") this.delivered.push(item);
        if (outcome === "unknown") this.unknown.add(item.id);
      }
    }
  }

  /** The client loses its connection to the primary. */
  cut(): void {
    if (this.#first === null) return;
    const isLeading = this.#first.stream === this.#matcher.leading;
    this.#first = null;
    if (isLeading) this.#takeOver(false);
    else this.#matcher.endStandby();
  }

  reconnect(): void {
    if (this.#first !== null || !this.#isPrimaryAlive) return;
    this.#first = new Reader(this.#primary, this.#matcher.begin());
  }

  /** The stream of the primary replaces that of its replica. */
  goBack(): void {
    const isAhead = this.#first !== null && this.#first.stream !== this.#matcher.leading;
    if (isAhead && this.#matcher.isMatched) this.#takeOver(true);
  }

  /** The primary dies. What its replica has not executed is undone; the replica is promoted. */
  kill(): void {
    if (!this.#isPrimaryAlive) return;
    this.cut();
    this.#isPrimaryAlive = false;
    this.#history.length = this.#replica.offset;
    this.readSecond(Infinity);
    this.undone.push(...this.#matcher.takeOwed());
  }

  #takeOver(stays: boolean): void {
    const result = this.#matcher.takeOver(stays);
    if (result === null) this.gaps++;
    else {
      this.delivered.push(...result.events);
      for (const id of result.unknown) this.unknown.add(id);
    }
  }

  /** Everything is read. Checks that each command of the history was delivered once. */
  check(): void {
    this.replicate(Infinity);
    this.readFirst(Infinity);
    this.readSecond(Infinity);
    this.goBack();
    if (this.gaps > 0) return;
    const undone = new Set(this.undone);
    const isKnown = (event: Event) => this.unknown.has(event.id) || this.delivered.includes(event);
    assert(this.undone.every(isKnown));
    for (const id of new Set(this.#history.map(({ id }) => id))) {
      if (this.unknown.has(id)) continue;
      const delivered = this.delivered.filter((event) => event.id === id && !undone.has(event))
        .map(({ event }) => formOf(event)).join("");
      const commands = this.#history.filter((done) => done.id === id)
        .map(({ command: [primary, replica] }) => `(${textOf(primary)}|${textOf(replica)})`);
      assertMatch(delivered, new RegExp(`^${commands.join("")}$`), `of ${id}`);
    }
  }
}

/** An event under its name on replicas, as a letter or more and a point. */
function formOf(event: string): string {
  const name = Object.hasOwn(REPEATED_AS, event) ? REPEATED_AS[event]! : event;
  return name === null ? "" : `${name};`;
}

function textOf(events: readonly string[]): string {
  return events.map(formOf).join("");
}

const count = fc.integer({ min: 1, max: 8 });

function steps(commands: Readonly<Record<string, Command>>): fc.Arbitrary<(shard: Shard) => void> {
  return fc.oneof(
    {
      weight: 10,
      arbitrary: fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom(...Object.keys(commands)))
        .map(([id, name]) =>
          Object.assign((shard: Shard) => shard.execute(id, name), {
            toString: () => `${name} ${id}`,
          })
        ),
    },
    {
      weight: 6,
      arbitrary: count.map((count) =>
        Object.assign((shard: Shard) => shard.replicate(count), {
          toString: () => `replicate ${count}`,
        })
      ),
    },
    {
      weight: 6,
      arbitrary: count.map((count) =>
        Object.assign((shard: Shard) => shard.readFirst(count), {
          toString: () => `readFirst ${count}`,
        })
      ),
    },
    {
      weight: 6,
      arbitrary: count.map((count) =>
        Object.assign((shard: Shard) => shard.readSecond(count), {
          toString: () => `readSecond ${count}`,
        })
      ),
    },
    { weight: 6, arbitrary: fc.constant((shard: Shard) => shard.mark()) },
    { weight: 2, arbitrary: fc.constant((shard: Shard) => shard.cut()) },
    { weight: 2, arbitrary: fc.constant((shard: Shard) => shard.reconnect()) },
    { weight: 3, arbitrary: fc.constant((shard: Shard) => shard.goBack()) },
    { weight: 1, arbitrary: fc.constant((shard: Shard) => shard.kill()) },
  );
}

function run(commands: Readonly<Record<string, Command>>, check: (shard: Shard) => void): void {
  fc.assert(
    fc.property(fc.array(steps(commands), { maxLength: 80, size: "max" }), (each) => {
      const shard = new Shard(commands);
      shard.mark();
      for (const step of each) step(shard);
      shard.check();
      check(shard);
    }),
    { numRuns: 2_000 },
  );
}

Deno.test("each event is delivered once, whatever is lost and in whatever order things arrive", () => {
  let rescued = 0;
  run(PLAIN, (shard) => {
    if (shard.gaps === 0) rescued++;
    assertEquals([...shard.unknown], []);
  });
  assert(rescued > 500, `only ${rescued} runs were without a gap`);
});

Deno.test("keys of commands that replicas execute otherwise are delivered once or reported", () => {
  run(ODD, () => {});
});

/** Two streams with a common mark, of a client that remembers four events of each. */
function matched() {
  const matcher = new StandbyMatcher<Event>({ items: 4, bytes: 100 });
  const [first, second] = [matcher.begin(), matcher.begin()];
  for (const stream of [first, second]) matcher.mark(stream, 1);
  return { matcher, first, second };
}

const set = (id: string, bytes = 1): Event => ({ id, event: "set", bytes });

Deno.test("streams are unmatched beyond each limit until they have a common mark again", () => {
  const beyond: ((matcher: StandbyMatcher<Event>, stream: MatchedStream<Event>) => void)[] = [
    (matcher, stream) => ["a", "b", "c", "d", "e"].forEach((id) => matcher.event(stream, set(id))),
    (matcher, stream) => matcher.event(stream, set("a", 101)),
    (matcher, stream) => [2, 3, 4, 5, 6].forEach((offset) => matcher.mark(stream, offset)),
  ];
  for (const exceed of beyond) {
    const { matcher, first, second } = matched();
    assert(matcher.isMatched);
    exceed(matcher, second);
    assert(!matcher.isMatched);
    for (const stream of [first, second]) matcher.mark(stream, 9);
    assert(matcher.isMatched);
    matcher.event(second, set("f"));
    assertEquals(matcher.takeOver(false)?.events.map(({ id }) => id), ["f"]);
  }
});

Deno.test("equal numbers of events do not prove that two streams are at the same point", () => {
  const matcher = new StandbyMatcher<Event>({ items: 4, bytes: 100 });
  const [first, second] = [matcher.begin(), matcher.begin()];
  for (const stream of [first, second]) matcher.event(stream, set("a"));
  matcher.mark(first, 1);
  matcher.mark(second, 2);
  assert(!matcher.isMatched);
  assertEquals(matcher.takeOver(false), null);
});

Deno.test("a stream alone is not remembered", () => {
  const matcher = new StandbyMatcher<Event>({ items: 4, bytes: 100 });
  const stream = matcher.begin();
  for (let offset = 1; offset <= 10; offset++) {
    assertEquals(matcher.event(stream, set("a")), "deliver");
    matcher.mark(stream, offset);
  }
  assertEquals([stream.events.length, stream.marks.size], [0, 1]);
  // The last mark still counts.
  matcher.mark(matcher.begin(), 10);
  assert(matcher.isMatched);
});

Deno.test("an event that was delivered stays so when two streams replace each other twice", () => {
  const { matcher, first } = matched();
  matcher.event(first, set("a"));
  for (let turn = 0; turn < 2; turn++) assertEquals(matcher.takeOver(true)?.events, []);
  assertEquals(matcher.takeOwed(), []);
});

Deno.test("events that may be a replica's own are neither delivered nor left out in silence", () => {
  for (const [own, extra] of [["spop", "srem"], ["xgroup-createconsumer", "xgroup-setid"]]) {
    const { matcher, first, second } = matched();
    matcher.event(first, { id: "a", event: own!, bytes: 1 });
    const name = own === "spop" ? "srem" : own!;
    for (const event of [name, extra!]) matcher.event(second, { id: "a", event, bytes: 1 });
    assertEquals(matcher.takeOver(false), { events: [], unknown: new Set(["a"]) });
  }
});
