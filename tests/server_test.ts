/** Several workers behind one port: shared, restarted, replaced, drained. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { close } from "../ffi/mod.ts";
import { SystemError } from "../mod.ts";
import {
  Server,
  type ServerOptions,
  type SharePolicy,
} from "../src/server/mod.ts";
import { test } from "./support/descriptors.ts";
import { loopback, streamSocket } from "./support/net_peer.ts";
import { Program } from "./support/process.ts";
import {
  askOnce,
  askUntil,
  Client,
  type Target,
} from "./support/server_client.ts";
import { within } from "./support/within.ts";
import type { ServerRole } from "./workers/server_roles.ts";

const MODULE = new URL("workers/server_roles.ts", import.meta.url);
const WAYS: SharePolicy[] = ["reuseport", "exclusive", "handover"];

function server(options: ServerOptions = {}, role: ServerRole = {}): Server {
  return new Server(MODULE, {
    workers: 2,
    data: role,
    stopOn: [],
    reloadOn: [],
    ...options,
  });
}

/** Asks on connections that stay open, until each of so many workers has answered. */
async function hearAll(target: Target, workers: number): Promise<void> {
  using clients = new DisposableStack();
  const seen = new Set<number>();
  while (seen.size < workers) {
    const client = clients.use(await Client.connect(target));
    const answer = await within(client.ask());
    if (answer !== null) seen.add(answer.index);
  }
}

for (const share of ["reuseport", "handover"] as const) {
  test(`${share}: every worker gets connections`, async () => {
    await using served = server({ share, workers: 3 });
    await within(served.ready, "ready");
    await within(hearAll({ port: served.port }, 3), "every worker");
  });
}

for (const share of WAYS) {
  test(`${share}: reloading under load replaces every worker and turns nobody away`, async () => {
    await using served = server({ share });
    await within(served.ready);
    const target = { port: served.port };
    const before = await askOnce(target);
    let reloaded = false;
    const clients = Array.from(
      { length: 4 },
      () => askUntil(target, () => reloaded),
    );
    await within(served.reload(), "reload()");
    await within(served.reload(), "reload() once more");
    reloaded = true;
    const answers = (await within(Promise.all(clients))).flat();
    assert(answers.length > 4);
    const after = await askOnce(target);
    assert(after.id !== before.id);
    assertEquals(served.restarts, 0);
  });

  test(`${share}: a worker that dies is followed by another`, async () => {
    const errors: string[] = [];
    await using served = server({
      share,
      workers: 1,
      onError: (error) => errors.push(String(error)),
    });
    await within(served.ready);
    const target = { port: served.port };
    const before = await askOnce(target);
    {
      using killer = await Client.connect(target);
      assertEquals(await within(killer.ask("die").catch(() => null)), null);
    }
    // It waits for the next worker, or is closed with the dying one.
    const after = await within(eventually(() => askOnce(target)));
    assert(after.id !== before.id);
    assertEquals(served.restarts, 1);
    assertEquals(errors.length, 1);
    assertStringIncludes(errors[0], "asked to die");
  });
}

async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

test("stop() serves the connections that are open until they close, and takes no new ones", async () => {
  const served = server();
  await within(served.ready);
  const target = { port: served.port };
  using client = await Client.connect(target);
  assertEquals((await within(client.ask()))?.draining, false);
  const stopped = served.stop();
  while ((await within(client.ask()))?.draining !== true);
  await within(eventually(() => assertRejects(() => askOnce(target))));
  assertEquals((await within(client.ask()))?.draining, true);
  client.close();
  await within(stopped, "stop()");
});

test("onDrain may end connections that are idle", async () => {
  const served = server({}, { endsIdle: true });
  await within(served.ready);
  using client = await Client.connect({ port: served.port });
  await within(client.ask());
  const stopped = served.stop(Infinity);
  await within(client.ended(), "the end");
  client.close();
  await within(stopped, "stop()");
});

test("connections that outlast drainTimeoutMs are closed", async () => {
  const served = server({ drainTimeoutMs: 1 });
  await within(served.ready);
  using client = await Client.connect({ port: served.port });
  await within(client.ask());
  await within(served.stop(), "stop()");
  await within(client.ended().catch(() => {}), "the end");
});

test("a second stop() can shorten the first", async () => {
  const served = server({ drainTimeoutMs: Infinity });
  await within(served.ready);
  using client = await Client.connect({ port: served.port });
  await within(client.ask());
  const first = served.stop();
  await within(served.stop(0));
  await within(first);
  await within(client.ended().catch(() => {}));
});

test("a client that comes while no worker lives waits for the next one, whatever the way", async () => {
  for (const share of WAYS) {
    await using served = server({ share, workers: 1, onError() {} });
    await within(served.ready);
    const target = { port: served.port };
    using killer = await Client.connect(target);
    // Its death is known here before the next worker is started.
    assertEquals(await within(killer.ask("die").catch(() => null)), null);
    assertEquals((await within(askOnce(target))).index, 0);
    assertEquals(served.restarts, 1);
  }
});

test("stop() at once, before the workers serve, leaves nothing behind", async () => {
  const served = server();
  const ready = served.ready.catch(() => {});
  await within(served.stop());
  await within(ready);
  await assertRejects(() => Deno.connect({ port: served.port }));
});

test("ready is rejected with what a worker's setup threw, and the port is free again", async () => {
  const fails = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const served = server({ onError() {} }, { fails });
  await assertRejects(() => within(served.ready), Error, "asked to fail");
  await within(served.finished);
  await assertRejects(() => Deno.connect({ port: served.port }));
});

test("a reload whose worker fails is rejected, and the old workers go on", async () => {
  const fails = new Int32Array(new SharedArrayBuffer(4));
  await using served = server({}, { fails });
  await within(served.ready);
  const target = { port: served.port };
  const ids = new Set<string>();
  while (ids.size < 2) ids.add((await within(askOnce(target))).id);
  Atomics.store(fails, 0, 1);
  await assertRejects(() => within(served.reload()), Error, "asked to fail");
  for (let count = 0; count < 20; count++) {
    assert(ids.has((await within(askOnce(target))).id));
  }
});

test("a unix path is shared by one socket, and removed in the end", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/socket`;
    const served = server({ path });
    await within(served.ready);
    await within(askOnce({ path }));
    await within(served.reload());
    await within(askOnce({ path }));
    await within(served.stop());
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("stop() once more leaves the path to who has it by then", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/socket`;
    const served = server({ path, workers: 1 });
    await within(served.stop());
    using _next = Deno.listen({ transport: "unix", path });
    await within(served.stop());
    assert((await Deno.stat(path)).isSocket);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("SIGHUP reloads, SIGTERM stops, and the process ends by itself", async () => {
  await using program = Program.deno("tests/children/server_program.ts");
  const port = await program.port();
  const { id } = await askOnce({ port });
  program.signal("SIGHUP");
  while ((await within(askOnce({ port }))).id === id);
  program.signal("SIGTERM");
  const { code, stderr } = await program.finished();
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});

test("bad options are refused before anything is opened", () => {
  const bad: [ServerOptions, string][] = [
    [{ workers: 0 }, "workers"],
    [{ drainTimeoutMs: NaN }, "drainTimeoutMs"],
    [{ share: "fairly" as SharePolicy }, "fairly"],
    [{ share: "reuseport", path: "/nowhere" }, "unix socket"],
    [{ stopOn: ["SIGKILL"] }, "SIGKILL"],
    [{ port: -1 }, "port"],
    [{ fd: -1 }, "fd"],
    [{ fd: 0x7fffffff }, "EBADF"],
  ];
  for (const [options, message] of bad) {
    const error = assertThrows(() => server(options), Error);
    assertStringIncludes(error.message, message);
  }
});

test("an fd that does not listen is refused, and stays open", () => {
  const fd = streamSocket(loopback(0));
  const error = assertThrows(() => server({ fd }), SystemError);
  assertEquals(error.code, "EINVAL");
  assertEquals(close(fd), 0);
});

test("a port in use is an error at once", () => {
  using taken = Deno.listen({ port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const error = assertThrows(() => server({ port }), SystemError);
  assertEquals(error.code, "EADDRINUSE");
});
