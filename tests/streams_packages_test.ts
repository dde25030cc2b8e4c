/**
 * More of other people's code over streams: WebSockets by ws, which takes a Duplex
 * of node:stream, from the runtime's own client; events by eventsource-parser,
 * which is a web stream; JSON-RPC by vscode-jsonrpc, which takes a Readable and a
 * Writable.
 */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Duplex, Readable, Writable } from "node:stream";
import { EventSourceParserStream } from "eventsource-parser/stream";
import {
  bytes,
  netTest,
  pairTest,
  pattern,
  readBytes,
  text,
  writeAll,
} from "./support/stream_nets.ts";
import { within } from "./support/within.ts";

/** Loaded by name: its types differ from Deno's of Node.js. */
const load = (name: string) => import(name);

/** The fields of an HTTP request, by name, and what came behind them. */
async function readRequest(
  conn: Deno.Conn,
): Promise<Record<string, string>> {
  let head = "";
  while (!head.endsWith("\r\n\r\n")) head += text(await readBytes(conn, 1));
  const fields = head.split("\r\n").slice(1).filter((line) => line !== "");
  return Object.fromEntries(fields.map((line) => {
    const [name, value] = line.split(": ");
    return [name.toLowerCase(), value];
  }));
}

netTest("ws answers the runtime's WebSocket", async (net) => {
  const { WebSocketServer } = await load("ws");
  const server = new WebSocketServer({ noServer: true });
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const client = new WebSocket(`ws://127.0.0.1:${listener.addr.port}`);
  client.binaryType = "arraybuffer";
  const events: unknown[] = [];
  const closed = new Promise<void>((resolve) => {
    client.onclose = ({ code, reason }) => {
      events.push([code, reason]);
      resolve();
    };
  });
  const large = pattern(300_000);
  client.onopen = () => {
    client.send("hello");
    client.send(large);
  };
  client.onmessage = ({ data }) => {
    if (typeof data === "string") return events.push(data);
    events.push(Buffer.from(data).equals(large));
    client.close(4000, "enough");
  };
  const conn = await listener.accept();
  const headers = await readRequest(conn);
  const { readable, writable } = conn;
  const duplex = Duplex.fromWeb({ readable, writable });
  const request = { method: "GET", headers, url: "/" };
  const gone = new Promise<void>((resolve) => duplex.once("close", resolve));
  server.handleUpgrade(request, duplex, Buffer.alloc(0), (socket: {
    on(event: string, handler: (data: unknown, binary: boolean) => void): void;
    send(data: unknown, options: { binary: boolean }): void;
  }) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await within(closed, "the end");
  await within(gone, "the end of the server's side");
  assertEquals(events, ["hello", true, [4000, "enough"]]);
  listener.close();
});

pairTest(
  "events come through a TextDecoderStream and a parser",
  async (pair) => {
    const { client, server } = pair;
    const parsed = client.readable
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    const stream = bytes(
      Array.from(
        { length: 500 },
        (_, id) => `id: ${id}\nevent: tick\ndata: größer als ${id}\n\n`,
      ).join(""),
    );
    const sending = (async () => {
      // Cut anywhere, in the middle of a letter too.
      for (let at = 0; at < stream.length; at += 997) {
        await writeAll(server, stream.subarray(at, at + 997));
      }
      server.close();
    })();
    const seen: string[] = [];
    for await (const { id, event, data } of parsed) {
      seen.push(`${id} ${event} ${data}`);
    }
    await within(sending);
    assertEquals(
      seen,
      Array.from({ length: 500 }, (_, id) => `${id} tick größer als ${id}`),
    );
  },
);

interface RpcConnection {
  listen(): void;
  onRequest(method: string, handler: (text: string) => string): void;
  sendRequest(method: string, text: string): Promise<string>;
  end(): void;
  dispose(): void;
}

pairTest("JSON-RPC calls go both ways at once", async ({ client, server }) => {
  const { createMessageConnection, StreamMessageReader, StreamMessageWriter } =
    await load("vscode-jsonrpc/node");
  const ends: RpcConnection[] = [client, server].map((conn) =>
    createMessageConnection(
      new StreamMessageReader(Readable.fromWeb(conn.readable)),
      new StreamMessageWriter(Writable.fromWeb(conn.writable)),
    )
  );
  const hash = (text: string) => createHash("sha1").update(text).digest("hex");
  for (const end of ends) {
    end.onRequest("hash", hash);
    end.listen();
  }
  const texts = Array.from({ length: 100 }, (_, n) => `ü${n}`.repeat(n * 20));
  const answers = await within(Promise.all(
    ends.flatMap((end) => texts.map((text) => end.sendRequest("hash", text))),
  ));
  assertEquals(answers, [...texts, ...texts].map(hash));
  for (const end of ends) {
    end.end();
    end.dispose();
  }
});
