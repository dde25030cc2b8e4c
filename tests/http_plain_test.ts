/**
 * What the HTTP example takes without its parser, beside the parser: whatever is
 * taken so, llhttp takes alike. An empty line ahead of a request, which means
 * nothing, has llhttp take it.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NOT_PLAIN, takePlain } from "../examples/http/plain_request.ts";
import { HttpRequest } from "../examples/http/request.ts";
import {
  COMPLETE,
  NONE,
  RequestParser,
} from "../examples/http/request_parser.ts";

const HOST = "Host: here\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const NEXT = `\r\nHEAD /next HTTP/1.1\r\n${HOST}\r\n`;
const BROWSER = "GET /a/b.html?c=%20d&e HTTP/1.1\r\n" +
  "Host: www.example.com:8080\r\nConnection: keep-alive\r\n" +
  'sec-ch-ua: "Chromium";v="124", "Not-A.Brand";v="99"\r\n' +
  "Upgrade-Insecure-Requests: 1\r\nAccept: text/html,*/*;q=0.8\r\n" +
  "X-Empty:\r\nX-Padded:   a b  \r\nX-Latin: \xe4\xff\r\n\r\n";
/** Bytes that mean something to a parser, or nearly. */
const ODD = '\0\t\n\r "#:/?,;()Aa01\x7f\x80\xa0\xff';

/** What a request says, as far as the fields of this text go. */
function told(request: HttpRequest, text: string): unknown[] {
  const names = [...text.matchAll(/^([^:\r\n]+):/gm)].map(([, name]) =>
    name.toLowerCase()
  );
  const { method, target, path, minorVersion, keepAlive, body } = request;
  return [
    [method, target, path, minorVersion, keepAlive, textOf(body)],
    ...names.map((name) => [name, request.count(name), request.header(name)]),
  ];
}

/** How many of the bytes are taken as a plain request; checked by llhttp. */
function plainBytes(text: string): number {
  const bytes = bytesOf(text);
  const request = new HttpRequest();
  const end = takePlain(request, bytes, 0, bytes.length);
  if (end === NOT_PLAIN) return end;
  const plain = told(request, text);
  const parser = new RequestParser();
  try {
    parser.feed(bytesOf(`\r\n${text.slice(0, end)}${NEXT}`));
    assertEquals(parser.next(), COMPLETE, text);
    assertEquals(plain, told(parser.request, text), text);
    assertEquals(parser.next(), COMPLETE, text);
    assertEquals(parser.request.target, "/next", text);
    assertEquals(parser.next(), NONE, text);
  } finally {
    parser.close();
  }
  return end;
}

/** All that a parser gives of these pieces. */
function requestsOf(pieces: readonly string[]): unknown[] {
  const parser = new RequestParser();
  const requests: unknown[] = [];
  try {
    for (const piece of pieces) {
      parser.feed(bytesOf(piece));
      let result = parser.next();
      for (; result === COMPLETE; result = parser.next()) {
        requests.push(told(parser.request, "Host:\nX-Number:"));
      }
      if (result > COMPLETE) requests.push(result);
      parser.keep();
    }
  } finally {
    parser.close();
  }
  return requests;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Cuts a text at places, which may be beyond its end. */
function cut(text: string, places: readonly number[]): string[] {
  const ends = places.map((place) => place % (text.length + 1))
    .sort((one, other) => one - other);
  return [...ends, text.length].map((end, index) =>
    text.slice(ends[index - 1] ?? 0, end)
  );
}

Deno.test("what curl, wrk and browsers ask for is taken without the parser", () => {
  const plain = [
    GET,
    GET.replace("GET", "HEAD"),
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:80\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n",
    BROWSER,
    `${GET.slice(0, -2)}${"X: y\r\n".repeat(99)}\r\n`,
    `${GET.slice(0, -2)}X: ${"y".repeat(16_000)}\r\n\r\n`,
  ];
  for (const text of plain) {
    assertEquals(plainBytes(text), text.length, text);
    assertEquals(plainBytes(text + GET), text.length, text);
  }
});

Deno.test("what is not a GET or HEAD without a body, or not quite, is the parser's", () => {
  const left = [
    GET.replace("GET", "POST"),
    GET.replace("GET", "get"),
    GET.replace("1.1", "1.0"),
    GET.replace(HOST, ""),
    GET.replace(HOST, HOST + HOST),
    GET.replace("/", "*"),
    GET.replace("/", "http://here/"),
    GET.replace("/", "/#a"),
    GET.replaceAll("\r\n", "\n"),
    `\r\n${GET}`,
    ...[
      "Connection: close",
      "connection: keep-alive, x",
      "Connection:",
      "Proxy-Connection: close",
      "Content-Length: 0",
      "TRANSFER-ENCODING: chunked",
      "Expect: 100-continue",
      "Upgrade: h2c",
      "X : y",
      " X: y",
      "X: y\r\n z",
      "X",
      ": y",
      "X: \0",
    ].map((field) => GET.replace(HOST, `${HOST}${field}\r\n`)),
    `${GET.slice(0, -2)}${"X: y\r\n".repeat(100)}\r\n`,
    `${GET.slice(0, -2)}X: ${"y".repeat(16 * 1024)}\r\n\r\n`,
  ];
  for (const text of left) assertEquals(plainBytes(text), NOT_PLAIN, text);
  for (const text of [GET, BROWSER]) {
    for (let length = 0; length < text.length; length++) {
      assertEquals(plainBytes(text.slice(0, length)), NOT_PLAIN);
    }
  }
});

Deno.test("each byte of a request, changed to any other or pushed aside by it, leaves what llhttp takes alike", () => {
  const text = "GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n" +
    "X-Y: z \r\n\r\n";
  let taken = 0;
  for (let at = 0; at <= text.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      const letter = String.fromCharCode(byte);
      for (const rest of [at, at + 1]) {
        const changed = text.slice(0, at) + letter + text.slice(rest);
        if (plainBytes(changed) !== NOT_PLAIN) taken++;
      }
    }
  }
  assert(taken > 1000, `${taken} were taken`);
});

const field = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("X", "accept", "X-Y_z", "Host2") },
  fc.constantFrom(
    ...["Host", "Connection", "Content-Length", "Transfer-Encoding"],
    ...["Upgrade", "Expect", "Proxy-Connection", "Keep-Alive", "TE", ""],
  ),
).chain((name) =>
  fc.tuple(
    fc.constantFrom(": ", ": ", ":", ":  ", ":\t", " :"),
    fc.oneof(
      fc.constantFrom("", "close", "keep-alive", "Keep-Alive", "0", "chunked"),
      fc.string({ unit: fc.constantFrom(...'ab ,;="(', ...ODD) }),
    ),
    fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n "),
  ).map(([colon, value, end]) => name + colon + value + end)
);

const anyRequest = fc.tuple(
  fc.constantFrom("GET ", "GET ", "HEAD ", "POST ", "GET  ", "\r\nGET "),
  fc.string({ unit: fc.constantFrom(..."abc/?%2.~", ...ODD), maxLength: 12 }),
  fc.constantFrom(" HTTP/1.1\r\n", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n"),
  fc.array(field, { maxLength: 6 }),
  fc.constantFrom("\r\n", "\r\n", "", "\n", "x", "\r\nx"),
).map(([method, target, version, fields, end]) =>
  `${method}/${target}${version}${HOST}${fields.join("")}${end}`
);

/** Changes of a byte each. */
const changes = fc.array(
  fc.tuple(fc.nat(), fc.nat(2), fc.constantFrom(...ODD)),
  { maxLength: 3 },
);

Deno.test("of random requests, damaged or not, those taken without the parser llhttp takes alike", () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.oneof(anyRequest, fc.constantFrom(GET, BROWSER)),
      changes,
      (text, changes) => {
        for (const [place, lost, letter] of changes) {
          const at = place % (text.length + 1);
          const added = lost === 1 ? letter : lost === 2 ? letter + letter : "";
          text = text.slice(0, at) + added + text.slice(at + lost);
        }
        if (plainBytes(text) !== NOT_PLAIN) taken++;
      },
    ),
    { numRuns: 20_000 },
  );
  assert(taken > 1000, `${taken} were taken`);
});

const kept = fc.constantFrom(
  `GET /plain HTTP/1.1\r\n${HOST}`,
  `HEAD / HTTP/1.1\r\n${HOST}`,
  `GET /old HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n`,
  `OPTIONS * HTTP/1.1\r\n${HOST}`,
  `GET /up HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n`,
);
const withBody = fc.constantFrom(
  ["Content-Length: 5\r\n", "hello"],
  [`Content-Length: ${GET.length}\r\n`, GET],
  ["Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"],
).chain(([field, body]) =>
  fc.constantFrom("GET", "POST").map((
    method,
  ) => [`${method} /body HTTP/1.1\r\n${HOST}${field}`, body])
);

Deno.test("requests of all kinds in a row, cut anywhere, are those that llhttp makes of them", () => {
  const stream = fc.array(
    fc.oneof(kept.map((head) => [head, ""]), withBody),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 6 }), (all, places) => {
      const texts = all.map(([head, body], index) =>
        `${head}X-Number: ${index}\r\n\r\n${body}`
      );
      const wanted = requestsOf(texts.map((text) => `\r\n${text}`));
      assertEquals(wanted.length, texts.length);
      const whole = texts.join("");
      assertEquals(requestsOf([whole]), wanted);
      assertEquals(requestsOf(cut(whole, places)), wanted);
    }),
    { numRuns: 2000 },
  );
});
