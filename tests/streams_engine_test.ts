/** The engine under streams: shared, lazy and gone when idle, or given. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Engine } from "../mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { connect, listen, type TcpConn } from "../src/net/streams.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { fetches } from "./support/fetches.ts";
import { TRIGGERS } from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { bytes, pattern, readBytes, text } from "./support/stream_nets.ts";
import { until, within } from "./support/within.ts";

const hostname = "127.0.0.1";

async function pairOn(
  engine?: Engine,
  allowHalfOpen = false,
): Promise<[TcpConn, TcpConn]> {
  const options = {
    allowHalfOpen,
    ...(engine === undefined ? {} : { engine }),
  };
  using listener = listen({ hostname, port: 0, ...options });
  const connecting = connect({ port: listener.addr.port, ...options });
  return [await listener.accept(), await connecting];
}

const epolls = () =>
  [...openDescriptors().values()].filter((to) => to.includes("eventpoll"))
    .length;

test("the shared engine comes with the first stream and goes with the last", async () => {
  const before = epolls();
  for (let round = 0; round < 3; round++) {
    const [server, client] = await pairOn();
    const [other, peer] = await pairOn();
    assertEquals(epolls(), before + 1);
    for (const conn of [server, client, other, peer]) conn.close();
    await until(() => epolls() === before);
  }
});

test("what fails leaves no engine behind", async () => {
  const before = epolls();
  try {
    listen({ hostname: "203.0.113.1" });
  } catch { /* it is not this machine's */ }
  await assertRejects(() => connect({ port: 0 }), RangeError);
  await until(() => epolls() === before);
});

for (const trigger of TRIGGERS) {
  test(`streams work on a given engine beside its connections (${trigger})`, async () => {
    using engine = new Engine({ trigger });
    const running = engine.start();
    const echo = engine.listen({}, {
      data: (connection, chunk) => void connection.write(chunk),
    });
    const [server, client] = await pairOn(engine);
    const other = await connect({ port: echo.port, engine });
    const large = pattern(200_000);
    const [, back] = await within(Promise.all([
      other.write(large.subarray(0, 50_000)),
      readBytes(other, 50_000),
    ]));
    assertEquals(back, large.subarray(0, 50_000));
    await server.write(bytes("hello"));
    assertEquals(text(await readBytes(client, 5)), "hello");
    for (const conn of [server, client, other]) conn.close();
    engine.stop();
    await running;
  });
}

test("closing the given engine closes the streams on it", async () => {
  const engine = new Engine();
  const running = engine.start();
  const [server, client] = await pairOn(engine);
  const listener = listen({ hostname, port: 0, engine });
  const settled = Promise.allSettled([
    client.read(new Uint8Array(1)),
    listener.accept(),
    connect({ port: 9, hostname: "203.0.113.1", engine }),
  ]);
  engine.close();
  const results = await within(settled);
  assertEquals(results.map(({ status }) => status), Array(3).fill("rejected"));
  await assertRejects(() => server.write(bytes("x")), Deno.errors.BadResource);
  await running;
});

test("a loop that always has something to read and write lets others have their turn", async () => {
  const [server, client] = await pairOn();
  let others = 0;
  let moved = 0;
  const counting = setInterval(() => others++);
  const sending = (async () => {
    const chunk = new Uint8Array(512);
    try {
      for (;;) await server.write(chunk);
    } catch { /* closed below */ }
  })();
  const buffer = new Uint8Array(512);
  while (others < 20) moved += await client.read(buffer) ?? 0;
  clearInterval(counting);
  assert(moved > 0);
  client.close();
  server.close();
  await sending;
});

test("a loop that always has room to write lets a fetch through within few turns", async () => {
  // A kernel that has always room, and takes as long as it takes to copy.
  const send: SystemCalls["send"] = (_fd, chunk) => {
    const endMs = performance.now() + 0.025;
    while (performance.now() < endMs);
    return chunk.byteLength;
  };
  using engine = new Engine({}, replacing({ send }));
  const running = engine.start();
  const [server, client] = await pairOn(engine);
  const sending = (async () => {
    const chunk = new Uint8Array(64 * 1024);
    try {
      for (;;) await server.write(chunk);
    } catch { /* closed below */ }
  })();
  const count = 10;
  const { turns } = engine.metrics;
  await fetches(count);
  const each = (engine.metrics.turns - turns) / count;
  assert(each < 30, `${each} turns for each fetch`);
  client.close();
  server.close();
  await sending;
  engine.stop();
  await running;
});

test("with allowHalfOpen each stream ends its own half", async () => {
  const [server, client] = await pairOn(undefined, true);
  const writer = client.writable.getWriter();
  await writer.write(bytes("question"));
  await writer.close();
  const question = await new Response(server.readable).text();
  assertEquals(question, "question");
  const answer = server.writable.getWriter();
  await answer.write(bytes("answer"));
  await answer.close();
  await assertRejects(() => server.closeWrite(), Deno.errors.BadResource);
  assertEquals(await new Response(client.readable).text(), "answer");
  await assertRejects(() => client.closeWrite(), Deno.errors.BadResource);
});

test("with allowHalfOpen too, cancelling and aborting close the connection", async () => {
  for (const end of ["cancel", "abort"] as const) {
    const [server, client] = await pairOn(undefined, true);
    const reader = client.readable.getReader();
    const reading = reader.read().catch(() => {});
    if (end === "cancel") await reader.cancel();
    else await client.writable.abort();
    await within(reading);
    assertEquals(await server.read(new Uint8Array(1)), null);
    server.close();
  }
});

test("several listeners share a port if they ask to", () => {
  using first = listen({ hostname, port: 0, reusePort: true });
  const { port } = first.addr;
  using second = listen({ hostname, port, reusePort: true });
  assertEquals(second.addr.port, port);
});

test("several accept() wait in their order", async () => {
  using listener = listen({ hostname, port: 0 });
  const accepting = [listener.accept(), listener.accept()];
  for (const next of accepting) {
    using client = await connect({ port: listener.addr.port });
    using server = await within(next);
    assertEquals(server.remoteAddr, client.localAddr);
  }
});

test("a client that has gone before it is accepted has its address still", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    using listener = listen({ hostname: host, port: 0 });
    const { port } = listener.addr;
    const family = host === "::1" ? "ipv6" : "ipv4";
    const gone = Peer.connect({ family, host, port });
    const { address } = gone;
    gone.reset();
    using staying = await connect({ hostname: host, port });
    using reset = await within(listener.accept());
    using open = await within(listener.accept());
    const { hostname, port: from } = reset.remoteAddr;
    assertEquals({ family, host: hostname, port: from }, address);
    assertEquals(open.remoteAddr, staying.localAddr);
    await assertRejects(() => reset.read(new Uint8Array(1)));
  }
});

test("an abstract unix name works, and an unbound end has no path", async () => {
  const path = `\0edgewise-streams-${Deno.pid}`;
  await using listener = listen({ transport: "unix", path });
  const connecting = connect({ transport: "unix", path });
  await using server = await listener.accept();
  await using client = await connecting;
  assertEquals(client.remoteAddr, { transport: "unix", path });
  assertEquals(server.remoteAddr, { transport: "unix", path: "" });
});

test("a chunk holds on to no more memory than its bytes need", async () => {
  const [server, client] = await pairOn();
  const reader = server.readable.getReader();
  const writer = client.writable.getWriter();
  const sent = pattern(190_000);
  for (let round = 0; round < 50; round++) {
    const writing = writer.write(sent);
    for (let received = 0; received < sent.length;) {
      const { value: chunk = bytes("") } = await within(reader.read());
      assertEquals(chunk, sent.subarray(received, received + chunk.length));
      const spare = chunk.buffer.byteLength - chunk.length;
      assert(spare <= 4096, `${spare} bytes of memory to spare`);
      received += chunk.length;
    }
    await writing;
  }
  server.close();
  client.close();
});

test("a thousand connections come and go", async () => {
  using listener = listen({ hostname, port: 0, tcpBacklog: 1024 });
  const { port } = listener.addr;
  const serving = (async () => {
    for await (const conn of listener) conn.readable.pipeTo(conn.writable);
  })();
  for (let batch = 0; batch < 10; batch++) {
    await Promise.all(Array.from({ length: 100 }, async () => {
      using conn = await connect({ port });
      await conn.write(bytes("ping"));
      assertEquals(text(await readBytes(conn, 4)), "ping");
    }));
  }
  listener.close();
  await serving;
});
