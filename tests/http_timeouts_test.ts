/** How long the HTTP server of the examples waits for its clients. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Engine, type Listener } from "../mod.ts";
import type { HttpLimits } from "../examples/http/exchange.ts";
import { hello } from "../examples/http/hello.ts";
import { serveHttp } from "../examples/http/serve.ts";
import { test } from "./support/descriptors.ts";
import { VirtualClock } from "./support/matrix_clock.ts";
import { runUntil, settle } from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

const SHORT_MS = 1000;
const NEVER_MS = 3_600_000;
const NEVER: HttpLimits = {
  idleTimeoutMs: NEVER_MS,
  requestTimeoutMs: NEVER_MS,
  lingerMs: NEVER_MS,
};
const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** A server with one client, and a clock that they have to themselves. */
class Visit {
  text = "";
  /** How the server has ended: `"end"`, the error's name, or nothing yet. */
  ended = "";
  readonly #beganMs: number;

  constructor(
    readonly clock: VirtualClock,
    readonly engine: Engine,
    readonly listener: Listener,
    readonly peer: Peer,
  ) {
    this.#beganMs = clock.nowMs;
  }

  get elapsedMs(): number {
    return this.clock.nowMs - this.#beganMs;
  }

  /** Takes what is there. */
  look(): void {
    const got = this.peer.receive();
    if (got instanceof Uint8Array) this.text += new TextDecoder().decode(got);
    else if (got !== "EAGAIN") this.ended = got;
  }

  until(condition: () => boolean): void {
    runUntil(this.engine, () => (this.look(), condition()));
    assert(this.elapsedMs < NEVER_MS, "Another limit has ended it");
  }

  /** Goes on for longer than the short limit. */
  pass(): void {
    this.clock.nowMs += 2 * SHORT_MS;
    settle(this.engine);
    this.look();
  }
}

function visitTest(
  name: string,
  limits: Partial<HttpLimits>,
  run: (visit: Visit) => void,
): void {
  test(`HTTP server: ${name}`, () => {
    const clock = new VirtualClock();
    using engine = new Engine({}, clock.calls);
    const options = { limits: { ...NEVER, ...limits } };
    const listener = serveHttp(engine, options, hello);
    using peer = Peer.connect(listener.port);
    run(new Visit(clock, engine, listener, peer));
  });
}

const PARTS: [what: string, part: string][] = [
  ["half a request line", "GET / HT"],
  ["a request without its last line", GET.slice(0, -2)],
  [
    "half a body",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
  ],
  [
    "a chunked body without its end",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
  ],
];

for (const [what, part] of PARTS) {
  visitTest(
    `${what} is answered 408, not before its time, and ended`,
    { requestTimeoutMs: SHORT_MS },
    (visit) => {
      visit.peer.trySend(part);
      visit.until(() => visit.ended !== "");
      assert(visit.elapsedMs >= SHORT_MS);
      assertMatch(visit.text, /^HTTP\/1\.1 408 /);
      assertMatch(visit.text, /\r\nConnection: close\r\n/i);
      assertEquals(visit.ended, "end");
    },
  );
}

visitTest(
  "a request that comes byte by byte gets no more time than others",
  { requestTimeoutMs: SHORT_MS },
  (visit) => {
    visit.peer.trySend("GET /");
    visit.until(() => {
      visit.peer.trySend("x");
      visit.clock.nowMs += SHORT_MS / 10;
      return visit.text !== "";
    });
    assertMatch(visit.text, /^HTTP\/1\.1 408 /);
  },
);

visitTest(
  "the time for a request ends with it",
  { requestTimeoutMs: SHORT_MS },
  (visit) => {
    visit.peer.trySend(GET.slice(0, 5));
    settle(visit.engine);
    visit.peer.trySend(GET.slice(5));
    visit.until(() => visit.text.endsWith("hello\n"));
    visit.pass();
    visit.peer.trySend(GET);
    visit.until(() => visit.text.split("hello\n").length === 3);
    assertEquals(visit.ended, "");
  },
);

visitTest(
  "a connection that is kept alive and idle is closed without a word",
  { idleTimeoutMs: SHORT_MS },
  (visit) => {
    visit.peer.trySend(GET);
    visit.until(() => visit.ended !== "");
    assert(visit.elapsedMs >= SHORT_MS);
    assertEquals(visit.text.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200"]);
    assertEquals([visit.ended, visit.listener.connections], ["end", 0]);
  },
);

visitTest(
  "a client that never says anything is closed without a word",
  { idleTimeoutMs: SHORT_MS },
  (visit) => {
    visit.until(() => visit.ended !== "");
    assertEquals([visit.text, visit.ended], ["", "end"]);
  },
);

visitTest(
  "a client that does not end is let go after the last answer",
  { lingerMs: SHORT_MS },
  (visit) => {
    visit.peer.trySend(LAST);
    visit.until(() => visit.ended !== "");
    assertEquals(visit.ended, "end");
    assert(visit.text.endsWith("hello\n"));
    visit.until(() => visit.listener.connections === 0);
    assert(visit.elapsedMs >= SHORT_MS);
  },
);

visitTest(
  "a client that is still sending reads its refusal before any reset",
  { lingerMs: SHORT_MS },
  (visit) => {
    visit.peer.trySend("hello\r\n\r\n");
    visit.until(() => {
      if (visit.listener.connections > 0) visit.peer.trySend("and more");
      return visit.ended !== "";
    });
    assertMatch(visit.text, /^HTTP\/1\.1 400 /);
    assertEquals(visit.ended, "end");
    visit.until(() => visit.listener.connections === 0);
  },
);

visitTest("a client that ends is not waited for", {}, (visit) => {
  visit.peer.trySend(LAST);
  visit.until(() => visit.ended !== "");
  assertEquals(visit.listener.connections, 1);
  visit.peer.close();
  runUntil(visit.engine, () => visit.listener.connections === 0);
  assert(visit.elapsedMs < NEVER_MS);
});
