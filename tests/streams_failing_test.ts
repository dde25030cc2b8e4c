/** What the kernel refuses streams is told to whom it concerns, and passes. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Engine } from "../mod.ts";
import {
  EMFILE,
  ENOMEM,
  ENOSPC,
  EPOLL_CTL_ADD,
  systemCalls,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/system_calls.ts";
import { connect, listen } from "../src/net/streams.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { bytes, readBytes, text } from "./support/stream_nets.ts";
import { within } from "./support/within.ts";

const hostname = "127.0.0.1";

/** Runs `fn` beside an engine, some of whose calls are others. */
async function withEngine(
  replacements: Partial<SystemCalls>,
  fn: (engine: Engine) => Promise<void>,
): Promise<void> {
  using engine = new Engine({}, replacing(replacements));
  const running = engine.start();
  await fn(engine);
  engine.stop();
  await running;
}

test("accept() tells that there are no descriptors, and works once there are", async () => {
  let exhausted = true;
  const accept4: SystemCalls["accept4"] = (...args) =>
    exhausted ? -EMFILE : systemCalls.accept4(...args);
  await withEngine({ accept4 }, async (engine) => {
    using listener = listen({ hostname, port: 0, engine });
    using client = await connect({ port: listener.addr.port });
    for (let time = 0; time < 2; time++) {
      const error = await assertRejects(() => within(listener.accept()), Error);
      assertEquals("code" in error && error.code, "EMFILE");
    }
    exhausted = false;
    using server = await within(listener.accept());
    assertEquals(server.remoteAddr, client.localAddr);
  });
});

test("a listener that epoll refuses fails what waits, and works once it takes it", async () => {
  let refused = false;
  const epoll_ctl: SystemCalls["epoll_ctl"] = (epfd, op, fd, event) =>
    refused && op === EPOLL_CTL_ADD
      ? -ENOSPC
      : systemCalls.epoll_ctl(epfd, op, fd, event);
  await withEngine({ epoll_ctl }, async (engine) => {
    refused = true;
    const accepting = listen({ hostname, port: 0, engine });
    const error = await assertRejects(() => within(accepting.accept()), Error);
    assertEquals("code" in error && error.code, "ENOSPC");
    refused = false;
    using other = await connect({ port: accepting.addr.port });
    using accepted = await within(accepting.accept());
    await other.write(bytes("hello"));
    assertEquals(text(await within(readBytes(accepted, 5))), "hello");
    accepting.close();
  });
});

test("listen() that fails leaves nothing open", async () => {
  const failing = () => -ENOMEM;
  await withEngine({ listen: failing }, (engine) => {
    assertThrows(() => listen({ hostname, port: 0, engine }), Error, "ENOMEM");
    return Promise.resolve();
  });
});
