/** The HTTP server with clients that others wrote. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { get } from "node:http";
import { test } from "./support/descriptors.ts";
import { isInstalled } from "./support/foreign_client.ts";
import { Program, runDeno } from "./support/process.ts";

/** What a client prints, that a machine may not have; undefined then. */
async function printed(
  command: string,
  ...args: string[]
): Promise<string | undefined> {
  if (!await isInstalled(command)) {
    console.log(`${command} is not installed`);
    return undefined;
  }
  await using client = new Program(command, args);
  const { code, stdout, stderr } = await client.finished();
  assertEquals([command, code, stderr], [command, 0, ""]);
  return stdout;
}

async function withCurl(url: string): Promise<void> {
  const hello = await printed("curl", "-s", url, url, "-o", "-");
  if (hello === undefined) return;
  assertEquals(hello, "hello\nhello\n");
  const head = await printed("curl", "-sI", `${url}nothing`) ?? "";
  assertMatch(head, /^HTTP\/1.1 404 Not Found\r\n(.+\r\n)+\r\n$/);
  const echoed = (...args: string[]) =>
    printed("curl", "-s", ...args, `${url}echo`);
  assertEquals(await echoed("-d", "a=b"), "a=b");
  // From a file, which curl asks leave for, and from a pipe, in chunks.
  const file = new URL("../README.md", import.meta.url).pathname;
  const text = await Deno.readTextFile(file);
  assertEquals(await echoed("--data-binary", `@${file}`), text);
  const chunked = ["-H", "Transfer-Encoding: chunked"];
  assertEquals(await echoed(...chunked, "--data-binary", `@${file}`), text);
  assertEquals(await printed("curl", "-s0", url), "hello\n");
  assertEquals(await printed("curl", "-s", "--http2", url), "hello\n");
}

async function withAb(url: string): Promise<void> {
  for (const keep of [["-k"], []]) {
    const args = ["-q", ...keep, "-n", "2000", "-c", "20", url];
    const report = await printed("ab", ...args);
    if (report === undefined) return;
    assertMatch(report, /Complete requests: +2000\n/);
    assertMatch(report, /Failed requests: +0\n/);
    if (keep.length > 0) assertMatch(report, /Keep-Alive requests: +2000\n/);
  }
}

async function withWrk(url: string): Promise<void> {
  const report = await printed("wrk", "-t1", "-c20", "-d1s", url);
  if (report === undefined) return;
  assertMatch(report, /\d+ requests in/);
  assert(!/Non-2xx|Socket errors/.test(report), report);
}

async function withNc(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const request =
    "GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n";
  const line = `printf '${request}' | nc ${hostname} ${port}`;
  if (!await isInstalled("nc")) return void await printed("nc");
  const answer = await printed("sh", "-c", line) ?? "";
  assertMatch(answer, /^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nhello\n$/);
}

const PYTHON = `
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for i in range(100):
    c.request("POST", "/echo", body=b"%d" % i)
    answer = c.getresponse()
    assert answer.status == 200 and answer.read() == b"%d" % i
c.request("POST", "/echo", body=iter([b"a", b"b"]), encode_chunked=True,
    headers={"Transfer-Encoding": "chunked"})
assert c.getresponse().read() == b"ab"
`;

async function withPython(url: string): Promise<void> {
  await printed("python3", "-c", PYTHON, new URL(url).port);
}

async function withNode(url: string): Promise<void> {
  const text = await new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => text += chunk);
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
  assertEquals(text, "hello\n");
}

async function withFetch(url: string): Promise<void> {
  using client = Deno.createHttpClient({});
  const body = new Blob(["a".repeat(100_000)]).stream();
  const echoed = await fetch(`${url}echo`, { method: "POST", body, client });
  assertEquals((await echoed.text()).length, 100_000);
  const missing = await fetch(`${url}nothing`, { client });
  assertEquals([missing.status, await missing.text()], [404, "Not Found\n"]);
}

const clients = {
  curl: withCurl,
  ab: withAb,
  wrk: withWrk,
  nc: withNc,
  "Python's http.client": withPython,
  "node:http": withNode,
  fetch: withFetch,
};

for (const [name, run] of Object.entries(clients)) {
  test(`http_server.ts serves ${name}`, async () => {
    await using server = Program.deno("examples/http_server.ts", {
      flags: ["--no-prompt", "--allow-ffi"],
      args: ["0"],
    });
    await run(`http://127.0.0.1:${await server.port()}/`);
    assertEquals(server.stderr, "");
  });
}

test("http_server.ts and static_files.ts end with one clear line for bad arguments", async () => {
  const wrong: [script: string, args: string[], message: RegExp][] = [
    ["http_server.ts", ["x"], /^The port must be .* and is x\n$/],
    ["http_server.ts", ["65536"], /^The port must be .* and is 65536\n$/],
    ["static_files.ts", ["-1"], /^The port must be .* and is -1\n$/],
    ["static_files.ts", ["0", "nothing"], /^The directory .* is nothing\n$/],
    ["static_files.ts", ["0", "deno.json"], /^The directory .*deno.json\n$/],
  ];
  for (const [script, args, message] of wrong) {
    const { code, stdout, stderr } = await runDeno(`examples/${script}`, {
      flags: ["--allow-ffi"],
      args,
    });
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, message);
  }
});
