/** The file server as a user runs it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { test } from "./support/descriptors.ts";
import { isInstalled } from "./support/foreign_client.ts";
import {
  ask,
  type HttpAnswer,
  HttpClient,
  textOf,
} from "./support/http_client.ts";
import { pattern } from "./support/net_engine.ts";
import { denoArgs, Program } from "./support/process.ts";
import { parseTrace, straceTest } from "./support/strace.ts";
import { until } from "./support/within.ts";

const LARGE = pattern(30_000_000);
const CHANGED = new Date("2024-02-29T12:34:56.789Z");
const CHANGED_TEXT = "Thu, 29 Feb 2024 12:34:56 GMT";

/** Files to serve, beside others that nobody shall get. */
async function withFiles(
  run: (root: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "edgewise-" });
  try {
    const root = `${directory}/public`;
    await Deno.mkdir(`${root}/sub/deep`, { recursive: true });
    await Deno.writeTextFile(`${directory}/secret.txt`, "secret");
    await Deno.writeTextFile(`${root}/index.html`, "<p>index");
    await Deno.writeTextFile(`${root}/sub/index.html`, "<p>sub");
    await Deno.writeTextFile(`${root}/a b%.txt`, "0123456789");
    await Deno.writeTextFile(`${root}/empty.css`, "");
    await Deno.writeTextFile(`${root}/no_extension`, "?");
    await Deno.writeFile(`${root}/large.bin`, LARGE);
    await Deno.utime(`${root}/a b%.txt`, CHANGED, CHANGED);
    await new Deno.Command("mkfifo", { args: [`${root}/fifo`] }).output();
    await run(root);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function serverTest(
  name: string,
  run: (port: number, root: string, server: Program) => Promise<void>,
): void {
  test(`static_files.ts ${name}`, () =>
    withFiles(async (root) => {
      await using server = Program.deno("examples/static_files.ts", {
        flags: ["--no-prompt", scopedFlag],
        args: ["0", root],
      });
      await run(await server.port(), root, server);
      assertEquals(server.stderr, "");
      assertEquals(openFiles(server, root), []);
    }));
}

/** What of the directory a server has open. */
function openFiles(server: Program, root: string): string[] {
  const directory = `/proc/${server.pid}/fd`;
  return [...Deno.readDirSync(directory)].map(({ name }) => {
    try {
      return Deno.readLinkSync(`${directory}/${name}`);
    } catch {
      return "";
    }
  }).filter((path) => path.startsWith(root));
}

/** Asks for a path, and closes the connection. */
async function request(
  port: number,
  path: string,
  fields: Record<string, string> = {},
  method = "GET",
): Promise<HttpAnswer> {
  using client = await HttpClient.connect(port);
  const lines = Object.entries({ Host: "a", Connection: "close", ...fields })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await client.send(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`);
  const answer = await client.answer(method === "HEAD");
  assert(answer !== null);
  assertEquals(await client.answer(), null);
  return answer;
}

serverTest(
  "serves files by their names, and says what they are",
  async (port) => {
    const files: [path: string, body: string, type: string][] = [
      ["/a%20b%25.txt", "0123456789", "text/plain; charset=utf-8"],
      ["/a%20b%25.txt?query", "0123456789", "text/plain; charset=utf-8"],
      ["/", "<p>index", "text/html; charset=utf-8"],
      ["/sub/", "<p>sub", "text/html; charset=utf-8"],
      ["//sub//index.html", "<p>sub", "text/html; charset=utf-8"],
      ["/sub/./index.html", "<p>sub", "text/html; charset=utf-8"],
      ["/empty.css", "", "text/css; charset=utf-8"],
      ["/no_extension", "?", "application/octet-stream"],
    ];
    for (const [path, body, type] of files) {
      const answer = await request(port, path);
      assertEquals([answer.status, textOf(answer)], [200, body], path);
      assertEquals(answer.fields.get("content-type"), type);
      const head = await request(port, path, {}, "HEAD");
      for (const name of ["content-type", "content-length", "etag"]) {
        assertEquals(head.fields.get(name), answer.fields.get(name));
      }
    }
    const large = await request(port, "/large.bin");
    assertEquals(Buffer.compare(large.body, LARGE), 0);
  },
);

serverTest("lets nobody out of its directory", async (port) => {
  const paths = [
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/sub/%2E%2E/%2E%2E/secret.txt",
    "/index.html%00.txt",
    "/%",
    "/%zz",
    "/%ff",
    "*",
    "http://a/../secret.txt",
    "secret.txt",
  ];
  for (const path of paths) {
    const { status } = await request(port, path).catch(() => ({ status: 400 }));
    assertEquals(status, 400, path);
  }
  for (const path of ["/..\\secret.txt", "/%252e%252e/secret.txt"]) {
    assertEquals((await request(port, path)).status, 404, path);
  }
});

serverTest("says what it does not have, and where it is", async (port) => {
  const cases: [path: string, status: number, location?: string][] = [
    ["/nothing", 404],
    ["/nothing/", 404],
    ["/index.html/", 404],
    ["/sub/deep/", 404],
    ["/fifo", 404],
    [`/${"x".repeat(300)}`, 404],
    ["/sub", 301, "/sub/"],
    // Two slashes would lead to a host of that name.
    ["//sub", 301, "/sub/"],
  ];
  for (const [path, status, location] of cases) {
    const answer = await request(port, path);
    assertEquals(
      [answer.status, answer.fields.get("location")],
      [status, location],
      path,
    );
  }
  const posted = await request(port, "/", { "Content-Length": "0" }, "POST");
  assertEquals([posted.status, posted.fields.get("allow")], [405, "GET, HEAD"]);
});

serverTest("does not send what the client has", async (port) => {
  const path = "/a%20b%25.txt";
  const { fields } = await request(port, path);
  const etag = fields.get("etag") ?? "";
  assertMatch(etag, /^"[\da-f-]+"$/);
  assertEquals(fields.get("last-modified"), CHANGED_TEXT);
  const later = new Date(CHANGED.getTime() + 60_000).toUTCString();
  const earlier = new Date(CHANGED.getTime() - 60_000).toUTCString();
  const cases: [fields: Record<string, string>, status: number][] = [
    [{ "If-None-Match": etag }, 304],
    [{ "If-None-Match": `"x", W/${etag}` }, 304],
    [{ "If-None-Match": "*" }, 304],
    [{ "If-None-Match": '"x"' }, 200],
    [{ "If-Modified-Since": CHANGED_TEXT }, 304],
    [{ "If-Modified-Since": later }, 304],
    [{ "If-Modified-Since": earlier }, 200],
    [{ "If-Modified-Since": "yesterday" }, 200],
    [{ "If-None-Match": '"x"', "If-Modified-Since": later }, 200],
  ];
  for (const [fields, status] of cases) {
    const answer = await request(port, path, fields);
    assertEquals(answer.status, status, JSON.stringify(fields));
    assertEquals(answer.fields.get("etag"), etag);
    if (status === 304) assertEquals(answer.body.length, 0);
  }
});

serverTest("sends the part that is asked for", async (port) => {
  const path = "/a%20b%25.txt";
  const etag = (await request(port, path)).fields.get("etag") ?? "";
  const whole = "0123456789";
  const cases: [range: string, status: number, body: string, place?: string][] =
    [
      ["bytes=2-4", 206, "234", "bytes 2-4/10"],
      ["bytes=0-0", 206, "0", "bytes 0-0/10"],
      ["bytes=7-", 206, "789", "bytes 7-9/10"],
      ["bytes=-3", 206, "789", "bytes 7-9/10"],
      ["bytes=-30", 206, whole, "bytes 0-9/10"],
      ["bytes=5-999", 206, "56789", "bytes 5-9/10"],
      ["bytes=10-", 416, "Range Not Satisfiable\n", "bytes */10"],
      ["bytes=-0", 416, "Range Not Satisfiable\n", "bytes */10"],
      // What need not be understood is passed over.
      ["bytes=4-2", 200, whole],
      ["bytes=0-1,3-4", 200, whole],
      ["bytes=-", 200, whole],
      ["bytes=x", 200, whole],
      ["lines=1-2", 200, whole],
    ];
  for (const [range, status, body, place] of cases) {
    const answer = await request(port, path, { Range: range });
    assertEquals([answer.status, textOf(answer)], [status, body], range);
    assertEquals(answer.fields.get("content-range"), place, range);
  }
  const conditions: [string, number][] = [
    [etag, 206],
    [CHANGED_TEXT, 206],
    ['"x"', 200],
    [new Date(0).toUTCString(), 200],
  ];
  for (const [condition, status] of conditions) {
    const fields = { Range: "bytes=1-2", "If-Range": condition };
    assertEquals((await request(port, path, fields)).status, status);
  }
  const empty = await request(port, "/empty.css", { Range: "bytes=0-" });
  assertEquals(empty.status, 416);
});

serverTest("keeps the order of what is asked for at once", async (port) => {
  const paths = ["/large.bin", "/", "/nothing", "/large.bin", "/sub/"];
  using client = await HttpClient.connect(port);
  for (const path of [...paths, ...paths]) {
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }
  for (const path of [...paths, ...paths]) {
    const answer = await client.answer();
    if (path === "/large.bin") {
      assertEquals(Buffer.compare(answer?.body ?? LARGE.slice(1), LARGE), 0);
    } else {
      const text = path === "/"
        ? "<p>index"
        : path === "/sub/"
        ? "<p>sub"
        : "Not Found\n";
      assertEquals(textOf(answer), text);
    }
  }
});

serverTest(
  "resets a client whose file shrinks, and goes on",
  async (port, root) => {
    using client = await HttpClient.connect(port);
    await client.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    // Sending has begun, and more is to come than the kernel's buffers hold.
    for (let read = 0; read < 10_000;) {
      read += await client.conn.read(new Uint8Array(1000)) ?? 0;
    }
    await Deno.truncate(`${root}/large.bin`, 1000);
    let error: unknown = null;
    try {
      while (await client.conn.read(new Uint8Array(65536)) !== null);
    } catch (caught) {
      error = caught;
    }
    assert(error instanceof Deno.errors.ConnectionReset);
    assertEquals((await request(port, "/large.bin")).body.length, 1000);
  },
);

serverTest(
  "closes the files of clients that vanish",
  async (port, root, server) => {
    for (let round = 0; round < 5; round++) {
      using client = await HttpClient.connect(port);
      await client.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.conn.read(new Uint8Array(1));
    }
    await until(() => openFiles(server, root).length === 0);
  },
);

serverTest(
  "serves curl, which goes on where it stopped",
  async (port, root) => {
    if (!await isInstalled("curl")) return console.log("curl is not installed");
    const part = `${root}/part`;
    await Deno.writeFile(part, LARGE.subarray(0, 12_345_678));
    const url = `http://127.0.0.1:${port}/large.bin`;
    await using curl = new Program("curl", ["-s", "-C", "-", "-o", part, url]);
    const { code, stderr } = await curl.finished();
    assertEquals([code, stderr], [0, ""]);
    assertEquals(Buffer.compare(await Deno.readFile(part), LARGE), 0);
  },
);

straceTest(
  "static_files.ts reads no file, by strace",
  () =>
    withFiles(async (root) => {
      const file = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
      try {
        const names = "trace=sendfile,sendto,writev";
        const options = { flags: ["--allow-ffi"], args: ["0", root] };
        await using server = new Program("strace", [
          // -D: the process started is the traced one, not strace.
          ...["-D", "-f", "-qq", "-e", names, "-e", "signal=none", "-o", file],
          Deno.execPath(),
          ...denoArgs("examples/static_files.ts", options),
        ]);
        const port = await server.port();
        const [answer] = await ask(
          port,
          "GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        assertEquals(answer?.body.length, LARGE.length);
        await server.end("SIGTERM");
        const calls = parseTrace(await Deno.readTextFile(file));
        const moved = calls.filter(({ name, result }) =>
          name === "sendfile" && result > 0
        );
        assertEquals(
          moved.reduce((sum, { result }) => sum + result, 0),
          LARGE.length,
        );
        const others = calls.filter(({ name, fd }) =>
          name !== "sendfile" && fd === moved[0]?.fd
        );
        assertEquals(others.map(({ name }) => name), ["sendto"]);
      } finally {
        await Deno.remove(file);
      }
    }),
);
