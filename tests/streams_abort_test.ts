/** Whatever waits can be aborted, and nothing is lost by it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, listen } from "../src/net/streams.ts";
import { test } from "./support/descriptors.ts";
import { PeerListener } from "./support/net_peer.ts";
import { bytes, netTest, readBytes, text } from "./support/stream_nets.ts";
import { within } from "./support/within.ts";

const hostname = "127.0.0.1";

/** A listener whose backlog is full, so that connecting to it waits. */
async function withFullBacklog(fn: (port: number) => Promise<void>) {
  using listener = new PeerListener(undefined, 0);
  const { port } = listener;
  const first = await Deno.connect({ port });
  try {
    await fn(port);
  } finally {
    first.close();
  }
}

netTest(
  "connect() rejects at once with the reason of a signal",
  async (net) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const error = await assertRejects(() => net.connect({ port: 1, signal }));
    assert(error === reason);
  },
);

netTest("connect() can be aborted while it waits", async (net) => {
  await withFullBacklog(async (port) => {
    const controller = new AbortController();
    const { signal } = controller;
    const connecting = net.connect({ port, signal });
    const failed = assertRejects(() => within(connecting), DOMException);
    await new Promise((resolve) => setTimeout(resolve));
    controller.abort();
    assertEquals((await failed).name, "AbortError");
  });
});

netTest("a signal has no effect on what is connected", async (net) => {
  using listener = net.listen({ hostname, port: 0 });
  const controller = new AbortController();
  const { signal } = controller;
  using client = await net.connect({ port: listener.addr.port, signal });
  using server = await listener.accept();
  controller.abort();
  await client.write(bytes("hello"));
  assertEquals(text(await readBytes(server, 5)), "hello");
});

test("connect() gives up after timeoutMs", async () => {
  await withFullBacklog(async (port) => {
    await assertRejects(
      () => within(connect({ port, timeoutMs: 5 })),
      Deno.errors.TimedOut,
    );
  });
});

test("accept() can be aborted, and loses no connection by it", async () => {
  using listener = listen({ hostname, port: 0 });
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = assertRejects(
    () => listener.accept({ signal }),
    Error,
  );
  const accepting = listener.accept();
  controller.abort(new Error("enough"));
  assertEquals((await aborted).message, "enough");
  using client = await connect({ port: listener.addr.port });
  using server = await within(accepting);
  assertEquals(server.remoteAddr, client.localAddr);
  await assertRejects(() => listener.accept({ signal }), Error, "enough");
});

test("read() can be aborted, and loses no byte by it", async () => {
  using listener = listen({ hostname, port: 0 });
  const connecting = connect({ port: listener.addr.port });
  using server = await listener.accept();
  using client = await connecting;
  const buffer = new Uint8Array(8);
  for (const when of ["before", "while it waits"] as const) {
    const controller = new AbortController();
    const { signal } = controller;
    if (when === "before") controller.abort(new Error(when));
    const failed = assertRejects(
      () => client.read(buffer, { signal }),
      Error,
    );
    controller.abort(new Error(when));
    assertEquals((await failed).message, when);
  }
  const { signal } = new AbortController();
  const reading = client.read(buffer, { signal });
  await server.write(bytes("whole"));
  assertEquals(await within(reading), 5);
  assertEquals(text(buffer.subarray(0, 5)), "whole");
});

test("reads that wait stay in their order, whichever of them is aborted", async () => {
  for (const first of [0, 1, 2]) {
    for (const second of [0, 1, 2]) {
      using listener = listen({ hostname, port: 0 });
      const connecting = connect({ port: listener.addr.port });
      using server = await listener.accept();
      using client = await connecting;
      const controllers = [0, 1, 2].map(() => new AbortController());
      const reads = controllers.map(async ({ signal }) => {
        const byte = new Uint8Array(1);
        await client.read(byte, { signal });
        return text(byte);
      });
      controllers[first].abort("aborted");
      controllers[second].abort("aborted");
      // The last of them, whatever is left.
      const last = new Uint8Array(1);
      reads.push(client.read(last).then(() => text(last)));
      await server.write(bytes("abcd"));
      const results = await within(Promise.allSettled(reads));
      const letters = ["a", "b", "c", "d"];
      assertEquals(
        results.map((read) =>
          read.status === "fulfilled" ? read.value : read.reason
        ),
        results.map((_, index) =>
          index === first || index === second ? "aborted" : letters.shift()
        ),
      );
    }
  }
});

test("write() can be aborted, and has sent nothing then", async () => {
  using listener = listen({ hostname, port: 0 });
  const connecting = connect({ port: listener.addr.port });
  using server = await listener.accept();
  using client = await connecting;
  const full = new Uint8Array(1024 * 1024);
  const controller = new AbortController();
  const { signal } = controller;
  let sent = 0;
  const filling = (async () => {
    for (;;) sent += await client.write(full, { signal });
  })();
  const failed = assertRejects(() => within(filling), Error, "enough");
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  controller.abort(new Error("enough"));
  await failed;
  const ended = client.closeWrite();
  assertEquals((await readBytes(server)).length, sent);
  await ended;
});

test("a signal that outlives what it was for holds nothing of it", async () => {
  const controller = new AbortController();
  let listeners = 0;
  const signal = new Proxy(controller.signal, {
    get(target, name) {
      if (name === "addEventListener") listeners++;
      if (name === "removeEventListener") listeners--;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  using listener = listen({ hostname, port: 0 });
  const accepting = listener.accept({ signal });
  using client = await connect({ port: listener.addr.port });
  using server = await accepting;
  const reading = client.read(new Uint8Array(1), { signal });
  await server.write(bytes("x"), { signal });
  await reading;
  assertEquals(listeners, 0);
});
