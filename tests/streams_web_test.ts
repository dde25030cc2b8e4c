/** The web streams of connections: the same tests of Deno's and of Edgewise's. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  bytes,
  joined,
  pairTest,
  pattern,
  patternAt,
  readBytes,
  text,
} from "./support/stream_nets.ts";
import { within } from "./support/within.ts";

const { errors } = Deno;

pairTest("a stream is the same each time it is asked for", ({ client }) => {
  const { readable, writable } = client;
  assert(client.readable === readable);
  assert(client.writable === writable);
});

pairTest("piping a connection to itself is an echo", async (pair) => {
  const { client, server } = pair;
  const echoing = server.readable.pipeTo(server.writable);
  await client.write(bytes("hello"));
  assertEquals(text(await readBytes(client, 5)), "hello");
  await client.closeWrite();
  await within(echoing);
  assertEquals(await client.read(new Uint8Array(1)), null);
});

pairTest(
  "pipeThrough() takes what arrives through a transform",
  async (pair) => {
    const { client, server } = pair;
    const text = server.readable.pipeThrough(new TextDecoderStream());
    await client.write(bytes("grüße"));
    client.close();
    let all = "";
    for await (const part of text) all += part;
    assertEquals(all, "grüße");
  },
);

/** Bytes in the two buffers of the kernel and in one chunk at the most. */
const IN_FLIGHT_MAX = 24 * 1024 * 1024;
const TOTAL = 41 * 1024 * 1024 + 4711;
const CHUNK = 256 * 1024;

pairTest(
  "41 MB arrive byte by byte at a slow reader, who sets the pace",
  async (pair) => {
    const { client, server } = pair;
    let sent = 0;
    const sending = (async () => {
      const writer = server.writable.getWriter();
      while (sent < TOTAL) {
        const chunk = pattern(Math.min(CHUNK, TOTAL - sent), sent);
        await writer.ready;
        await writer.write(chunk);
        sent += chunk.length;
      }
      await writer.close();
    })();
    let received = 0;
    let wrong = 0;
    for await (const chunk of client.readable) {
      for (let i = 0; i < chunk.length; i++) {
        if (chunk[i] !== patternAt(received + i)) wrong++;
      }
      received += chunk.length;
      assert(sent - received <= IN_FLIGHT_MAX, `${sent - received} in flight`);
      // The sender could go on while this one does nothing.
      if (received % 7 === 0) {
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    await within(sending);
    assertEquals({ received, wrong }, { received: TOTAL, wrong: 0 });
  },
);

pairTest(
  "a writer waits as long as nobody reads",
  async ({ client, server }) => {
    const writer = server.writable.getWriter();
    const chunk = new Uint8Array(1024 * 1024);
    let written = 0;
    let stuck = false;
    const writing = (async () => {
      for (let i = 0; i < 40; i++) {
        await writer.write(chunk);
        written++;
      }
      await writer.close();
    })();
    // Everybody has had many turns: what could go on has gone on.
    for (let before = -1; !stuck; before = written) {
      for (let i = 0; i < 20; i++) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      stuck = before === written;
    }
    assert(written < 30, `${written} MiB written`);
    assertEquals((await readBytes(client)).length, 40 * chunk.length);
    await within(writing);
  },
);

pairTest(
  "a reader with memory of its own is filled as far as there is",
  async (pair) => {
    const { client, server } = pair;
    await server.write(bytes("hello world"));
    await server.closeWrite();
    const reader = client.readable.getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(5));
    assertEquals(text(first.value ?? bytes("")), "hello");
    const second = await reader.read(new Uint8Array(100));
    assertEquals(text(second.value ?? bytes("")), " world");
    const last = await reader.read(new Uint8Array(100));
    assertEquals([last.value?.length, last.done], [0, true]);
  },
);

pairTest("each chunk is the reader's own", async ({ client, server }) => {
  const reader = client.readable.getReader();
  const chunks: Uint8Array[] = [];
  for (const word of ["one", "two", "three"]) {
    await server.write(bytes(word));
    const { value = bytes("") } = await reader.read();
    chunks.push(value);
  }
  assertEquals(text(joined(chunks)), "onetwothree");
});

pairTest(
  "the end of the readable stream closes the connection",
  async (pair) => {
    const { client, server } = pair;
    await server.closeWrite();
    for await (const _ of client.readable) assert(false);
    await assertRejects(() => client.write(bytes("x")), errors.BadResource);
    assertEquals(await server.read(new Uint8Array(1)), null);
  },
);

pairTest(
  "cancelling the readable stream closes the connection",
  async (pair) => {
    const { client, server } = pair;
    await client.readable.cancel();
    await assertRejects(() => client.write(bytes("x")), errors.BadResource);
    assertEquals(await server.read(new Uint8Array(1)), null);
  },
);

pairTest(
  "closing the writable stream closes the connection, after what was written",
  async (pair) => {
    const { client, server } = pair;
    const writer = client.writable.getWriter();
    const written = writer.write(pattern(3_000_000));
    const closed = writer.close();
    assertEquals((await readBytes(server)).length, 3_000_000);
    await within(Promise.all([written, closed]));
    await assertRejects(
      () => client.read(new Uint8Array(1)),
      errors.BadResource,
    );
  },
);

pairTest("aborting the writable stream closes the connection", async (pair) => {
  const { client, server } = pair;
  await client.writable.abort("enough");
  await assertRejects(() => client.read(new Uint8Array(1)), errors.BadResource);
  assertEquals(await server.read(new Uint8Array(1)), null);
});

pairTest("close() fails a stream that is being read", async ({ client }) => {
  const reader = client.readable.getReader();
  const reading = reader.read();
  const failed = assertRejects(() => within(reading));
  await new Promise((resolve) => setTimeout(resolve));
  client.close();
  await failed;
});

pairTest("a writable stream tells of a peer that is gone", async (pair) => {
  const { client, server } = pair;
  const writer = server.writable.getWriter();
  const closed = writer.closed.catch((error: unknown) => error);
  const writing = writer.write(new Uint8Array(64 * 1024 * 1024));
  const failed = writing.catch((error: unknown) => error);
  await client.read(new Uint8Array(1));
  client.close();
  const error = await within(failed);
  assert(
    error instanceof errors.ConnectionReset ||
      error instanceof errors.BrokenPipe,
    String(error),
  );
  assert(await closed === error);
  await assertRejects(() => server.read(new Uint8Array(1)), errors.BadResource);
});

pairTest(
  "what is no bytes fails a stream that it is written to",
  async ({ client }) => {
    const writer = client.writable.getWriter();
    writer.closed.catch(() => {});
    const chunk = "text" as unknown as Uint8Array;
    await assertRejects(() => writer.write(chunk), TypeError);
    await assertRejects(
      () => client.read(new Uint8Array(1)),
      errors.BadResource,
    );
  },
);
