/** The HTTP server against requests of every kind, byte by byte. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "./support/descriptors.ts";
import { ask, HttpClient, textOf } from "./support/http_client.ts";
import { Program } from "./support/process.ts";
import { parseTrace, straceTest } from "./support/strace.ts";
import { denoArgs } from "./support/process.ts";

const HOST = "Host: localhost\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
/** What would be answered if it were taken for a request. */
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;

/** A test with the port of a server, which prints nothing more. */
function serverTest(name: string, run: (port: number) => Promise<void>): void {
  test(`http_server.ts ${name}`, async () => {
    await using server = Program.deno("examples/http_server.ts", {
      flags: ["--no-prompt", "--allow-ffi"],
      args: ["0"],
    });
    await run(await server.port());
    assertEquals(server.stderr, "");
  });
}

/** A request, and the status of the one answer to it, after which all ends. */
const REFUSED: [what: string, request: string, status: number][] = [
  ["no request at all", "hello\r\n\r\n", 400],
  ["a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00", 400],
  ["nothing but NULs", "\0".repeat(100), 400],
  ["a line without a target", `GET\r\n${HOST}\r\n`, 400],
  ["a line without a version", `GET /\r\n${HOST}\r\n`, 505],
  ["a target with a space", `GET /a b HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a target with a NUL", `GET /\0 HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a method in lower case", `get / HTTP/1.1\r\n${HOST}\r\n`, 501],
  ["a method that nobody knows", `BREW / HTTP/1.1\r\n${HOST}\r\n`, 501],
  ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["version 2.0", `GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
  ["version 1.2", `GET / HTTP/1.2\r\n${HOST}\r\n`, 505],
  ["version 0.9", `GET / HTTP/0.9\r\n${HOST}\r\n`, 505],
  ["another protocol", `GET / FTP/1.1\r\n${HOST}\r\n`, 400],
  ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["two Hosts", `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400],
  ["lines that end with LF", "GET / HTTP/1.1\nHost: a\n\n", 400],
  ["lines that end with CR", "GET / HTTP/1.1\rHost: a\r\r", 400],
  ["a field without a colon", `GET / HTTP/1.1\r\n${HOST}x\r\n\r\n`, 400],
  ["a field without a name", `GET / HTTP/1.1\r\n${HOST}: x\r\n\r\n`, 400],
  ["a space before a colon", `GET / HTTP/1.1\r\n${HOST}X : y\r\n\r\n`, 400],
  ["a space before a field", `GET / HTTP/1.1\r\n X: y\r\n${HOST}\r\n`, 400],
  ["a folded field", `GET / HTTP/1.1\r\n${HOST}X: y\r\n z\r\n\r\n`, 400],
  ["a NUL in a field", `GET / HTTP/1.1\r\n${HOST}X: \0\r\n\r\n`, 400],
  ["a CR in a field", `GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`, 400],
  ["an unknown expectation", post("Expect: tea\r\nContent-Length: 1"), 417],
  ["a length that is none", post("Content-Length: x"), 400],
  ["a negative length", post("Content-Length: -1"), 400],
  ["a length with a sign", post("Content-Length: +1"), 400],
  ["a length in hex", post("Content-Length: 0x1"), 400],
  ["a list of lengths", post("Content-Length: 1, 1"), 400],
  ["two lengths", post("Content-Length: 1\r\nContent-Length: 2"), 400],
  [
    "twice the same length",
    post("Content-Length: 1\r\nContent-Length: 1"),
    400,
  ],
  ["a length of twenty digits", post(`Content-Length: ${"9".repeat(20)}`), 400],
  ["a length over the limit", post("Content-Length: 1048577"), 413],
  [
    "a length and a coding",
    post(`Content-Length: 4\r\nTransfer-Encoding: chunked`),
    400,
  ],
  [
    "a coding and a length",
    post(`Transfer-Encoding: chunked\r\nContent-Length: 4`),
    400,
  ],
  ["an unknown coding", post("Transfer-Encoding: gzip"), 501],
  ["two codings", post("Transfer-Encoding: gzip, chunked"), 501],
  ["chunked twice", post("Transfer-Encoding: chunked, chunked"), 400],
  ["chunked, but not last", post("Transfer-Encoding: chunked, gzip"), 400],
  ["a coding in HTTP/1.0", post("Transfer-Encoding: chunked", "1.0"), 400],
  ["a chunk of no size", post("Transfer-Encoding: chunked") + "x\r\n", 400],
  ["a chunk of minus one", post("Transfer-Encoding: chunked") + "-1\r\n", 400],
  [
    "a chunk that is longer than its size",
    post("Transfer-Encoding: chunked") + "1\r\nab\r\n0\r\n\r\n",
    400,
  ],
  [
    "a chunk whose size has sixteen digits too many",
    post("Transfer-Encoding: chunked") + "f".repeat(32) + "\r\n",
    400,
  ],
  [
    "chunks over the limit",
    post("Transfer-Encoding: chunked") + "100001\r\n" + "x".repeat(0x100001),
    413,
  ],
  ["a long target", `GET /${"x".repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
  ["a long field", `${GET.trimEnd()}\r\nX: ${"y".repeat(20_000)}\r\n\r\n`, 431],
  ["a long name", `${GET.trimEnd()}\r\n${"x".repeat(20_000)}: y\r\n\r\n`, 431],
  ["many fields", `${GET.trimEnd()}\r\n${"X: y\r\n".repeat(200)}\r\n`, 431],
  [
    "a field without an end",
    `${GET.trimEnd()}\r\nX: ${"y".repeat(50_000)}`,
    431,
  ],
  ["a long line without a space", "G".repeat(50_000) + "\r\n", 400],
];

function post(fields: string, version = "1.1"): string {
  return `POST /echo HTTP/${version}\r\n${HOST}${fields}\r\n\r\n`;
}

serverTest(
  "refuses what is no request, and takes nothing after it for one",
  async (port) => {
    const wanted: unknown[] = [];
    const got: unknown[] = [];
    for (const [what, request, status] of REFUSED) {
      const answers = await ask(port, request + SMUGGLED);
      wanted.push([what, [status, "close"]]);
      got.push([
        what,
        ...answers.map((
          { status, fields },
        ) => [status, fields.get("connection")]),
      ]);
    }
    assertEquals(got, wanted);
    // Others are as well as ever.
    assertEquals(textOf((await ask(port, closing(GET)))[0] ?? null), "hello\n");
  },
);

/** The same request, which asks for the connection to be closed. */
function closing(request: string): string {
  return request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
}

serverTest(
  "refuses the same after a good request, which it answers",
  async (port) => {
    const wanted: unknown[] = [];
    const got: unknown[] = [];
    for (const [what, request, status] of REFUSED) {
      const answers = await ask(port, GET + request + SMUGGLED);
      wanted.push([what, 200, status]);
      got.push([what, ...answers.map(({ status }) => status)]);
    }
    assertEquals(got, wanted);
  },
);

serverTest("takes what may look odd, and is not", async (port) => {
  const good: [what: string, request: string, body: string][] = [
    ["empty lines ahead", `\r\n\r\n${GET}`, "hello\n"],
    ["names in any case", "GET / HTTP/1.1\r\nhOsT: a\r\n\r\n", "hello\n"],
    ["no space after a colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", "hello\n"],
    [
      "spaces around a value",
      "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n",
      "hello\n",
    ],
    ["an empty value", `GET / HTTP/1.1\r\n${HOST}X:\r\n\r\n`, "hello\n"],
    [
      "bytes beyond ASCII",
      `GET / HTTP/1.1\r\n${HOST}X: \xe4\r\n\r\n`,
      "hello\n",
    ],
    ["a query", `GET /?a=b HTTP/1.1\r\n${HOST}\r\n`, "hello\n"],
    [
      "a target with its host",
      `GET http://a:1/ HTTP/1.1\r\n${HOST}\r\n`,
      "hello\n",
    ],
    ["a host alone", `GET http://a?b HTTP/1.1\r\n${HOST}\r\n`, "hello\n"],
    ["an upgrade that is declined", upgrade(), "hello\n"],
    [
      "a body of a GET",
      `GET / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`,
      "hello\n",
    ],
    ["a body", post("Content-Length: 3") + "abc", "abc"],
    ["no body", post("Content-Length: 0"), ""],
    [
      "chunks, with extensions and trailers",
      post("Transfer-Encoding: Chunked") +
      "3;a=b\r\nabc\r\n002\r\nde\r\n0\r\nX: y\r\n\r\n",
      "abcde",
    ],
  ];
  for (const [what, request, body] of good) {
    using client = await HttpClient.connect(port);
    await client.send(request);
    const answer = await client.answer();
    assertEquals([answer?.status, textOf(answer)], [200, body], what);
    // The connection goes on, and is where it should be.
    await client.send(GET);
    assertEquals(textOf(await client.answer()), "hello\n", what);
  }
});

function upgrade(): string {
  return `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\n` +
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
}

serverTest("answers each method and path as it should", async (port) => {
  using client = await HttpClient.connect(port);
  const cases: [line: string, status: number, allow?: string][] = [
    ["GET /", 200],
    ["HEAD /", 200],
    ["POST /", 405, "GET, HEAD"],
    ["DELETE /", 405, "GET, HEAD"],
    ["OPTIONS *", 404],
    ["GET /nothing", 404],
    ["HEAD /nothing", 404],
    ["GET /echo", 405, "POST"],
    ["HEAD /echo", 405, "POST"],
  ];
  for (const [line, status, allow] of cases) {
    await client.send(`${line} HTTP/1.1\r\n${HOST}\r\n`);
    const isHead = line.startsWith("HEAD");
    const answer = await client.answer(isHead);
    assertEquals([answer?.status, answer?.fields.get("allow")], [
      status,
      allow,
    ]);
    assertMatch(answer?.fields.get("content-length") ?? "", /^\d+$/);
    const date = Date.parse(answer?.fields.get("date") ?? "");
    assert(Math.abs(Date.now() - date) < 60_000);
  }
});

serverTest("keeps a connection or not, as the client says", async (port) => {
  const keep = "Connection: keep-alive\r\n";
  const cases: [request: string, answers: number, field?: string][] = [
    [`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 1, "close"],
    [`GET / HTTP/1.1\r\n${HOST}Connection: x, Close\r\n\r\n`, 1, "close"],
    ["GET / HTTP/1.0\r\n\r\n", 1, "close"],
    [`GET / HTTP/1.0\r\n${keep}\r\n`, 2, "keep-alive"],
    [`GET / HTTP/1.1\r\n${HOST}${keep}\r\n`, 2],
  ];
  for (const [request, count, field] of cases) {
    const answers = await ask(port, request + closing(GET));
    assertEquals(answers.map(({ status }) => status), Array(count).fill(200));
    assertEquals(answers[0]?.fields.get("connection"), field);
    assertEquals(answers.at(-1)?.fields.get("connection"), "close");
  }
});

serverTest("puts a request together that comes byte by byte", async (port) => {
  using client = await HttpClient.connect(port);
  const requests = [
    GET,
    post("Content-Length: 5") + "hello",
    post("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
    GET,
  ].join("");
  for (const byte of requests) await client.send(byte);
  const bodies = ["hello\n", "hello", "hello", "hello\n"];
  for (const body of bodies) assertEquals(textOf(await client.answer()), body);
});

serverTest("reads pieces of any size alike", async (port) => {
  const requests = Array.from(
    { length: 200 },
    (_, index) => post(`Content-Length: ${`${index}`.length}`) + index,
  );
  const all = requests.join("");
  for (const size of [2, 7, 81, 1000, all.length]) {
    using client = await HttpClient.connect(port);
    for (let at = 0; at < all.length; at += size) {
      await client.send(all.slice(at, at + size));
    }
    for (let index = 0; index < requests.length; index++) {
      assertEquals(textOf(await client.answer()), `${index}`);
    }
  }
});

serverTest("gives leave to send a body, and only then", async (port) => {
  using client = await HttpClient.connect(port);
  await client.send(post("Content-Length: 3\r\nExpect: 100-continue"));
  assertEquals((await client.answer())?.status, 100);
  await client.send("abc");
  assertEquals(textOf(await client.answer()), "abc");
  // Nobody waits where the body has come along.
  await client.send(post("Content-Length: 3\r\nExpect: 100-continue") + "abc");
  assertEquals(textOf(await client.answer()), "abc");
  await client.send(post("Content-Length: 1048577\r\nExpect: 100-continue"));
  assertEquals((await client.answer())?.status, 413);
  assertEquals(await client.answer(), null);
});

serverTest("takes a body of the longest kind", async (port) => {
  const body = "0123456789abcdef".repeat(65536);
  using client = await HttpClient.connect(port);
  await client.send(post(`Content-Length: ${body.length}`) + body);
  assertEquals(textOf(await client.answer()) === body, true);
});

serverTest(
  "stops reading from a client that does not read, and answers all",
  async (port) => {
    using slow = await HttpClient.connect(port);
    // More than the kernel's buffers hold, each way.
    const body = "0123456789abcdef".repeat(64);
    const count = 40_000;
    let sent = false;
    const sending = slow.send(
      (post("Content-Length: 1024") + body).repeat(count),
    ).then(() => sent = true);
    // Others are served meanwhile.
    for (let round = 0; round < 20; round++) {
      const [answer] = await ask(port, closing(GET));
      assertEquals(answer?.status, 200);
    }
    assertEquals(sent, false);
    for (let index = 0; index < count; index++) {
      assertEquals((await slow.answer())?.body.length, body.length);
    }
    await sending;
  },
);

serverTest("answers a client that sends no more", async (port) => {
  using client = await HttpClient.connect(port);
  await client.send(GET.repeat(3));
  await client.conn.closeWrite();
  assertEquals((await client.answers()).length, 3);
});

straceTest(
  "http_server.ts makes one recvfrom and one sendto for sixteen requests, by strace",
  async () => {
    const file = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
    try {
      const names = "trace=accept4,epoll_ctl,recvfrom,sendto,writev,setsockopt";
      const options = { flags: ["--allow-ffi"], args: ["0"] };
      await using server = new Program("strace", [
        // -D: the process started is the traced one, not strace.
        ...["-D", "-f", "-qq", "-e", names, "-e", "signal=none", "-o", file],
        Deno.execPath(),
        ...denoArgs("examples/http_server.ts", options),
      ]);
      const rounds = 20;
      using client = await HttpClient.connect(await server.port());
      for (let round = 0; round < rounds; round++) {
        await client.send(GET.repeat(16));
        for (let index = 0; index < 16; index++) await client.answer();
      }
      await server.end("SIGTERM");
      const calls = parseTrace(await Deno.readTextFile(file));
      const fd = calls.find(({ name, result }) =>
        name === "accept4" && result >= 0
      )?.result;
      const made = calls.filter((call) => call.fd === fd);
      const counts = ["recvfrom", "sendto"].map((name) =>
        made.filter((call) => call.name === name).length
      );
      assertEquals(counts, [rounds, rounds]);
      assertEquals(made.length, 2 * rounds);
    } finally {
      await Deno.remove(file);
    }
  },
);
