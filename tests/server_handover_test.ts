/** Connections that a server's own thread accepts and hands over. */
import { assertEquals, assertThrows } from "@std/assert";
import { systemCalls } from "../ffi/mod.ts";
import { listeningSocket } from "../src/net/listening_socket.ts";
import { boundAddress } from "../src/net/socket.ts";
import { Handover } from "../src/server/handover.ts";
import { Server } from "../src/server/mod.ts";
import { test } from "./support/descriptors.ts";
import { until, within } from "./support/within.ts";

const LOOPBACK = { family: "ipv4", host: "127.0.0.1", port: 0 } as const;

/** A listening socket, with its port. */
function socket(): { fd: number; port: number } {
  const fd = listeningSocket(systemCalls, LOOPBACK, {});
  const address = boundAddress(systemCalls, fd);
  return { fd, port: address !== null && "port" in address ? address.port : 0 };
}

/** Takes connections while it has room. */
class Taker {
  room = false;
  refused = 0;
  readonly taken: number[] = [];

  give(fd: number): boolean {
    if (this.room) this.taken.push(fd);
    else this.refused++;
    return this.room;
  }

  [Symbol.dispose](): void {
    for (const fd of this.taken) systemCalls.close(fd);
  }
}

function fail(error: unknown): void {
  throw error;
}

test("connections that no worker has room for are offered again", async () => {
  const { fd, port } = socket();
  using taker = new Taker();
  const handover = new Handover({ fd }, [taker], fail);
  using _first = await Deno.connect({ port });
  await until(() => taker.refused > 0);
  taker.room = true;
  await until(() => taker.taken.length === 1);
  using _second = await Deno.connect({ port });
  await until(() => taker.taken.length === 2);
  handover.close();
});

test("connections are dealt out in turn, past those who have no room", async () => {
  const { fd, port } = socket();
  using stack = new DisposableStack();
  const takers = [new Taker(), new Taker(), new Taker()];
  for (const taker of takers) stack.use(taker);
  takers[0].room = takers[2].room = true;
  const handover = new Handover({ fd }, takers, fail);
  for (let count = 0; count < 4; count++) {
    stack.use(await Deno.connect({ port }));
  }
  const taken = () => takers.map((taker) => taker.taken.length);
  await until(() => taken().reduce((sum, each) => sum + each, 0) === 4);
  assertEquals(taken(), [2, 0, 2]);
  handover.close();
});

test("closing hands over what is in the backlog, and closes what nobody takes", async () => {
  const { fd, port } = socket();
  using taker = new Taker();
  taker.room = true;
  using _early = await Deno.connect({ port });
  const handover = new Handover({ fd }, [taker], fail);
  handover.close();
  handover.close();
  assertEquals(taker.taken.length, 1);

  const other = socket();
  using late = await Deno.connect({ port: other.port });
  new Handover({ fd: other.fd }, [new Taker()], fail).close();
  const read = late.read(new Uint8Array(1)).catch(() => null);
  assertEquals(await within(read), null);
});

test("a limit that handing over could not keep is refused", () => {
  const module = new URL("workers/server_roles.ts", import.meta.url);
  assertThrows(
    () => new Server(module, { share: "handover", connectionsMax: 1 }),
    TypeError,
    "connectionsMax",
  );
});
