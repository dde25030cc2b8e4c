/** Streams on Bun, which has no `Deno.listen` to compare with. Runs on Deno, too. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, listen, type TcpConn } from "../../src/net/streams.ts";
import { openDescriptors } from "../support/descriptors.ts";

const hostname = "127.0.0.1";

async function withPair(
  fn: (client: TcpConn, server: TcpConn) => Promise<void>,
): Promise<void> {
  const listener = listen({ hostname, port: 0 });
  const connecting = connect({ port: listener.addr.port });
  const server = await listener.accept();
  const client = await connecting;
  try {
    await fn(client, server);
  } finally {
    for (const each of [listener, client, server]) each.close();
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);
const named = (name: string) => (error: unknown) =>
  error instanceof Error && error.name === name;

test("streams echo, end one half, and leave nothing open", async () => {
  const before = openDescriptors().size;
  await withPair(async (client, server) => {
    const buffer = new Uint8Array(16);
    await client.write(bytes("hello"));
    assert.equal(await server.read(buffer), 5);
    await client.closeWrite();
    assert.equal(await server.read(buffer), null);
    await server.write(buffer.subarray(0, 5));
    assert.equal(await client.read(buffer), 5);
  });
  while (openDescriptors().size > before) await sleep(1);
});

test("5 MB pass through web streams, and through a Duplex", async () => {
  for (const kind of ["web", "duplex"]) {
    await withPair(async (client, server) => {
      const sent = new Uint8Array(5_000_000).map((_, i) => i * 31 + (i >> 8));
      const sending = (async () => {
        const writer = server.writable.getWriter();
        await writer.write(sent);
        await writer.close();
      })();
      const chunks: Uint8Array[] = [];
      const source = kind === "web" ? client.readable : Duplex.fromWeb(
        client as unknown as Parameters<typeof Duplex.fromWeb>[0],
      );
      for await (const chunk of source) chunks.push(chunk);
      await sending;
      assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), sent);
    });
  }
});

test("what waits ends by a signal or by close(), with errors of Deno's names", async () => {
  await withPair(async (client, server) => {
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = client.read(new Uint8Array(1), { signal });
    const closed = client.read(new Uint8Array(1));
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    client.close();
    await assert.rejects(closed, named("Interrupted"));
    await assert.rejects(client.write(bytes("x")), named("BadResource"));
    assert.equal(await server.read(new Uint8Array(1)), null);
  });
  const listener = listen({ hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assert.rejects(connect({ port }), named("ConnectionRefused"));
});

test("a host goes by name", async () => {
  const listener = listen({ hostname: "localhost", port: 0 });
  const connecting = connect({
    hostname: "localhost",
    port: listener.addr.port,
  });
  const server = await listener.accept();
  const client = await connecting;
  for (const each of [listener, client, server]) each.close();
});
