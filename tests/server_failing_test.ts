/** A server whose workers die, fail or throw at a bad moment. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemCalls } from "../ffi/mod.ts";
import { listeningSocket } from "../src/net/listening_socket.ts";
import { boundAddress } from "../src/net/socket.ts";
import { Server, type ServerOptions } from "../src/server/mod.ts";
import { Slot } from "../src/server/slot.ts";
import { test } from "./support/descriptors.ts";
import { denoArgs, Program } from "./support/process.ts";
import { askOnce, Client } from "./support/server_client.ts";
import { until, within } from "./support/within.ts";
import type { OddRole } from "./workers/server_odd_roles.ts";

const MODULE = new URL("workers/server_odd_roles.ts", import.meta.url);
/** Longer than a server waits before it starts another worker, the first time. */
const RESTARTED_MS = 300;
/** No process has so many descriptors: whoever takes it over is told `EBADF`. */
const NOBODYS = 0x7fffffff;

function server(role: OddRole, options: ServerOptions = {}): Server {
  return new Server(MODULE, {
    workers: 1,
    data: role,
    stopOn: [],
    reloadOn: [],
    ...options,
  });
}

function shared(value: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4)).fill(value);
}

function set(place: Int32Array<SharedArrayBuffer>, value: number): void {
  Atomics.store(place, 0, value);
  Atomics.notify(place, 0);
}

async function kill(port: number): Promise<void> {
  using killer = await Client.connect({ port });
  assertEquals(await within(killer.ask("die").catch(() => null)), null);
}

test("handlers of a class reach their private state, whoever calls them", async () => {
  await using served = server({});
  await within(served.ready);
  await within(askOnce({ port: served.port }));
  assertEquals((await within(askOnce({ port: served.port }))).index, 2);
});

test("a worker that dies while its successor starts is not followed by a third", async () => {
  const [gate, begun] = [shared(0), shared(0)];
  let deaths = 0;
  await using served = server({ gate, begun }, { onError: () => deaths++ });
  await within(served.ready);
  set(gate, 1);
  const reloaded = served.reload();
  await until(() => Atomics.load(begun, 0) === 2);
  await kill(served.port);
  await until(() => deaths === 1);
  // Timers fire in order: the server's has by then.
  await new Promise((resolve) => setTimeout(resolve, RESTARTED_MS));
  set(gate, 0);
  await within(reloaded);
  using client = await Client.connect({ port: served.port });
  const answer = await within(client.ask());
  await within(served.reload());
  assertEquals(Atomics.load(begun, 0), 3);
  assert(answer !== null);
  assertEquals(served.restarts, 0);
});

test("a reload that fails where a worker has just died leaves its place to be filled", async () => {
  const fails = shared(0);
  let deaths = 0;
  await using served = server({ fails }, { onError: () => deaths++ });
  await within(served.ready);
  await kill(served.port);
  await until(() => deaths === 1);
  set(fails, 1);
  await assertRejects(() => within(served.reload()), Error, "asked to fail");
  set(fails, 0);
  await within(askOnce({ port: served.port }));
});

test("a reload does not wait for those whom the one before lets drain", async () => {
  const begun = shared(0);
  await using served = server({ begun }, { drainTimeoutMs: Infinity });
  await within(served.ready);
  using client = await Client.connect({ port: served.port });
  await within(client.ask());
  const reloads = [served.reload(), served.reload()];
  await until(() => Atomics.load(begun, 0) === 3);
  client.close();
  await within(Promise.all(reloads), "reload()");
});

test("an open handler that throws while its worker drains does not hold up the end", async () => {
  const gate = shared(0);
  const served = server({ gate, throwsDraining: true });
  await within(served.ready);
  const target = { port: served.port };
  using client = await Client.connect(target);
  set(gate, 1);
  await within(client.ask("wait"));
  using waiting = await Client.connect(target);
  const stopped = served.stop(Infinity);
  await new Promise((resolve) => setTimeout(resolve));
  set(gate, 0);
  await within(client.ended().catch(() => {}), "the end");
  await within(waiting.ended().catch(() => {}), "the other's end");
  client.close();
  waiting.close();
  await within(stopped, "stop()");
});

for (const drainTimeoutMs of [Infinity, 1]) {
  test(`a worker whose inbox is flooded as it is to drain serves who is connected for as long as it may, ${drainTimeoutMs} ms`, async () => {
    const loopback = { family: "ipv4", host: "127.0.0.1", port: 0 } as const;
    const socket = listeningSocket(systemCalls, loopback, {});
    const gate = shared(0);
    const data: OddRole = { gate, keepsOpen: true };
    const deaths: unknown[] = [];
    const slot = new Slot(MODULE, { index: 0, socket, listen: {}, data }, {
      serves() {},
      died: (error) => deaths.push(error),
    });
    await within(slot.replace(0));
    const address = boundAddress(systemCalls, socket);
    assert(address !== null && "port" in address);
    using client = await Client.connect({ port: address.port });
    set(gate, 1);
    await within(client.ask("wait"));
    while (slot.give(NOBODYS));
    const { drained } = await within(slot.close(drainTimeoutMs), "close()");
    set(gate, 0);
    if (drainTimeoutMs === Infinity) {
      while (!(await within(client.ask()))?.draining);
      client.close();
    }
    await within(drained, "the drain");
    assertEquals(deaths, []);
    systemCalls.close(socket);
  });
}

test("a setup function that never ends does not keep the server from stopping", async () => {
  await using program = new Program(
    Deno.execPath(),
    denoArgs("tests/children/server_stuck.ts", {}),
  );
  const { code, stdout, stderr } = await within(program.finished());
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "Error: Cannot start a worker: its setup did not end in time\n",
    stderr: "",
  });
});

test("stop() at once, without a look at ready, is no unhandled rejection", async () => {
  await within(server({}).stop());
});
