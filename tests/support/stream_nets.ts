/** Deno's own listeners and connections, and Edgewise's, to run the same tests on. */
import { connect, listen } from "../../src/net/streams.ts";
import { test } from "./descriptors.ts";

/** Something with the interface of `Deno.listen` and `Deno.connect`. */
export interface Net {
  readonly name: "deno" | "edgewise";
  listen(options: Deno.TcpListenOptions): Deno.TcpListener;
  listenUnix(path: string): Deno.UnixListener;
  connect(options: Deno.ConnectOptions): Promise<Deno.TcpConn>;
  connectUnix(path: string): Promise<Deno.UnixConn>;
}

/** Both. */
export const NETS: readonly Net[] = [
  {
    name: "deno",
    listen: (options) => Deno.listen(options),
    listenUnix: (path) => Deno.listen({ transport: "unix", path }),
    connect: (options) => Deno.connect(options),
    connectUnix: (path) => Deno.connect({ transport: "unix", path }),
  },
  {
    name: "edgewise",
    listen: (options) => listen(options),
    listenUnix: (path) => listen({ transport: "unix", path }),
    connect: (options) => connect(options),
    connectUnix: (path) => connect({ transport: "unix", path }),
  },
];

/** A test of each of them. */
export function netTest(
  name: string,
  fn: (net: Net) => void | Promise<void>,
): void {
  for (const net of NETS) test(`${name} (${net.name})`, () => fn(net));
}

/** Both ends of a connection over the loopback address. */
export interface Pair {
  readonly listener: Deno.TcpListener;
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
}

/** Runs `fn` with a connection, and closes what is left of it. */
export async function withPair(
  net: Net,
  fn: (pair: Pair) => void | Promise<void>,
): Promise<void> {
  using listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = net.connect({ port: listener.addr.port });
  using server = await listener.accept();
  using client = await connecting;
  await fn({ listener, client, server });
}

/** A test of each, with a connection. */
export function pairTest(
  name: string,
  fn: (pair: Pair, net: Net) => void | Promise<void>,
): void {
  netTest(name, (net) => withPair(net, (pair) => fn(pair, net)));
}

/** Writes all of it. */
export async function writeAll(
  conn: Deno.Conn,
  bytes: Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await conn.write(bytes.subarray(sent));
  }
}

/** Reads so many bytes, or up to the end. */
export async function readBytes(
  conn: Deno.Conn,
  count = Infinity,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < count) {
    const buffer = new Uint8Array(Math.min(65536, count - length));
    const got = await conn.read(buffer);
    if (got === null) break;
    chunks.push(buffer.subarray(0, got));
    length += got;
  }
  return joined(chunks);
}

/** The chunks as one. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(
    chunks.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Bytes by their number, from `start` on, so that a gap or a swap shows. */
export function pattern(length: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = patternAt(start + i);
  return bytes;
}

/** The byte of that number. */
export function patternAt(number: number): number {
  return (number * 31 + (number >> 8) * 7 + (number >> 16)) & 255;
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Bytes as text. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
