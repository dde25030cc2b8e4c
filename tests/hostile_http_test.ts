/**
 * Garbage for the HTTP example: a corpus, and requests with seeded damage. The
 * server stays up, answers nothing but HTTP, serves others, and does not grow.
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { test } from "./support/descriptors.ts";
import { generator } from "./support/random.ts";
import { bytesOf } from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { Program } from "./support/process.ts";
import { until } from "./support/within.ts";

const SEEDS = [1, 2, 3];
/** Damaged requests for each seed. */
const CASES = 400;
/** Connections of the flood of requests that never end. */
const SLOW = 200;
/** What the server may grow by, once it is warm. */
const GROWTH_MAX_KB = 64 * 1024;

const CRLF = "\r\n";
const GET = `GET / HTTP/1.1${CRLF}Host: here${CRLF}${CRLF}`;
const POST = `POST /echo HTTP/1.1${CRLF}Host: here${CRLF}`;

/** Requests that are as they should be, to be damaged. */
const VALID: readonly string[] = [
  GET,
  GET + GET + GET,
  `HEAD / HTTP/1.1${CRLF}Host: here${CRLF}Connection: close${CRLF}${CRLF}`,
  `${POST}Content-Length: 5${CRLF}${CRLF}hello`,
  `${POST}Transfer-Encoding: chunked${CRLF}${CRLF}5${CRLF}hello${CRLF}0${CRLF}${CRLF}`,
  `${POST}Content-Length: 5${CRLF}Expect: 100-continue${CRLF}${CRLF}hello`,
];

/** What no request should be. */
const CORPUS: readonly string[] = [
  "\0",
  "\r\n\r\n\r\n\r\n",
  "\n",
  " ",
  "GET",
  "GET /",
  "GET / HTTP/9.9\r\n\r\n",
  "GET / HTTP/1.1\r\n\r\n",
  "GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
  "get / http/1.1\r\nhost: x\r\n\r\n",
  "GET / HTTP/1.1\nHost: x\n\n",
  "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
  "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
  "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n",
  `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  `GET / HTTP/1.1\r\n${"X: y\r\n".repeat(20_000)}\r\n`,
  `GET / HTTP/1.1\r\nX: ${"y".repeat(200_000)}\r\n\r\n`,
  `GET ${"%00".repeat(1000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  "GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
  "CONNECT here:443 HTTP/1.1\r\nHost: x\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  `${POST}Content-Length: -1\r\n\r\n`,
  `${POST}Content-Length: +5\r\n\r\nhello`,
  `${POST}Content-Length: 5, 5\r\n\r\nhello`,
  `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
  `${POST}Content-Length: 99999999999999999999999999\r\n\r\n`,
  `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding: gzip\r\n\r\nhello`,
  `${POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n5;${"x".repeat(100_000)}\r\n`,
];

/** The server, and a client that it must go on serving. */
class Server implements AsyncDisposable {
  readonly #program: Program;
  port = 0;

  constructor() {
    this.#program = Program.deno("examples/http_server.ts", { args: ["0"] });
  }

  async start(): Promise<void> {
    this.port = await this.#program.port();
    await this.serves();
  }

  /** Answers a good request. */
  async serves(): Promise<void> {
    using honest = Peer.connect(this.port);
    honest.send(GET);
    let answer = "";
    await until(() => {
      const text = honest.receiveText();
      if (text !== "EAGAIN") answer += text;
      return answer.endsWith("hello\n") || text === "end";
    });
    assert(answer.startsWith("HTTP/1.1 200 "), answer);
  }

  /** Sends garbage, and reads what comes until nothing more can. */
  async insult(bytes: Uint8Array, ending: number): Promise<void> {
    using peer = Peer.connect(this.port);
    peer.trySend(bytes);
    if (ending === 0) return peer.reset();
    peer.finish();
    let answer = "";
    await until(() => {
      const text = peer.receiveText();
      if (text === "EAGAIN") return false;
      if (text === "end" || text === "ECONNRESET") return true;
      answer += text;
      return false;
    });
    assert(answer === "" || answer.startsWith("HTTP/1."), answer.slice(0, 100));
  }

  get residentKb(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#program.pid}/status`);
    return Number(status.match(/VmRSS:\s+(\d+)/)?.[1]);
  }

  /** Still running, with nothing to complain of. */
  check(): void {
    assertEquals(this.#program.stderr, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

/** A request with some of its bytes changed, lost, doubled or moved. */
function damaged(random: (bound: number) => number): Uint8Array {
  let bytes = [...bytesOf(VALID[random(VALID.length)])];
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(bytes.length + 1);
    const length = 1 + random(8);
    switch (random(5)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes.splice(at, length);
        break;
      case 2:
        bytes.splice(at, 0, ...bytes.slice(at, at + length));
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes.splice(at, 0, ...[13, 10, 58, 32, 0, 255].slice(random(6)));
    }
  }
  return Uint8Array.from(bytes);
}

test("an HTTP server that gets a corpus of garbage goes on serving", async () => {
  await using server = new Server();
  await server.start();
  for (const text of CORPUS) {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    for (const ending of [0, 1]) await server.insult(bytes, ending);
    await server.serves();
  }
  server.check();
});

for (const seed of SEEDS) {
  test(`an HTTP server that gets ${CASES} damaged requests goes on serving, seed ${seed}`, async () => {
    const random = generator(seed);
    await using server = new Server();
    await server.start();
    let warmKb = 0;
    for (let count = 0; count < CASES; count++) {
      await server.insult(damaged(random), random(4));
      if (count % 20 === 0) await server.serves();
      if (count === CASES / 2) warmKb = server.residentKb;
    }
    await server.serves();
    server.check();
    assertLessOrEqual(server.residentKb - warmKb, GROWTH_MAX_KB);
  });
}

test("requests that come byte by byte, or never end, keep no other waiting", async () => {
  await using server = new Server();
  await server.start();
  const slow = Array.from({ length: SLOW }, () => Peer.connect(server.port));
  for (const byte of GET.slice(0, -1)) {
    for (const peer of slow) peer.send(byte);
    await server.serves();
  }
  for (const peer of slow) peer.reset();
  await server.serves();
  server.check();
});

test("pipelined requests whose answers nobody reads do not make an HTTP server grow", async () => {
  await using server = new Server();
  await server.start();
  const many = bytesOf(GET.repeat(10_000));
  const greedy = Array.from({ length: 20 }, () => Peer.connect(server.port));
  const flood = async () => {
    for (const peer of greedy) {
      for (let sent = 0; sent < many.length;) {
        const count = peer.trySend(many.subarray(sent));
        if (typeof count === "string") break;
        sent += count;
      }
    }
    await server.serves();
  };
  await flood();
  const warmKb = server.residentKb;
  for (let round = 0; round < 10; round++) await flood();
  assertLessOrEqual(server.residentKb - warmKb, GROWTH_MAX_KB);
  for (const peer of greedy) peer.reset();
  await server.serves();
  server.check();
});
