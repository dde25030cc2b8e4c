/** Nothing reaches a descriptor that has left the engine. */
import { assert, assertEquals } from "@std/assert";
import { Engine, type FdEvent, type Trigger } from "../../mod.ts";
import {
  EBADF,
  EPOLLET,
  EPOLLIN,
  errnoName,
  F_GETFD,
  fcntl,
  recv,
  send,
  systemCalls,
} from "../../ffi/mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { test } from "../support/descriptors.ts";
import { epollEntries, epollEntry } from "../support/fdinfo.ts";
import { add, Files, put, waitReadable } from "./files.ts";
import { RawEpoll } from "./raw_epoll.ts";
import { Recorder } from "./recorder.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const SOCKETS = 2_500;

for (const trigger of TRIGGERS) {
  test(`${trigger}: of two ready events the one that the other closes is never told`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const events: FdEvent[] = [];
    for (const name of ["first", "second"]) {
      const event: FdEvent = engine.register(
        files.handOver(files.eventfd(1)),
        recorder.handlers(name, {
          read: () => events.find((other) => other !== event)?.close(),
        }),
      );
      event.enableRead();
      events.push(event);
    }
    assertEquals(engine.turn(0), 1);
    engine.turn(0);
    const calls = recorder.take();
    assertEquals(new Set(calls).size, 1, `called: ${calls}`);
    assertEquals(epollEntries(engine.fd).length, 1);
    for (const event of events) event.close();
  });

  test(`${trigger}: a number that is reused several times inside one batch gets nothing of its former owners`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const first = files.eventfd(1);
    const second = files.handOver(files.eventfd(1));
    let owner: FdEvent;
    let renewed = false;
    const renew = () => {
      if (renewed) return;
      renewed = true;
      for (let round = 0; round < 5; round++) {
        owner.close();
        const fd = files.handOver(files.eventfd());
        assertEquals(fd, second);
        owner = engine.register(fd, recorder.handlers(`owner ${round}`));
        owner.enableRead();
        engine.commit();
      }
    };
    const opener = engine.register(first, { read: renew });
    owner = engine.register(second, recorder.handlers("old owner"));
    opener.enableRead();
    engine.commit();
    owner.enableRead();
    assertEquals(engine.poll(0), 2);
    engine.dispatch();
    opener.disableRead();
    assertEquals(renewed, true);
    assertEquals(recorder.take(), []);
    assertEquals(engine.turn(0), 0);

    add(second);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["owner 4 read"]);
    owner.close();
  });

  for (const eventsMax of [512, 4_096]) {
    test(`${trigger}: of ${SOCKETS} UDP sockets, waited for by ${eventsMax}, that are all closed at the first receive each sends once and none is told again`, () => {
      using files = new Files();
      using engine = new Engine({ trigger, eventsMax, dispatchMax: 10_000 });
      const sent = new Array(SOCKETS).fill(0);
      const events: FdEvent[] = [];
      let receives = 0;
      let closes = 0;
      let writesAfterwards = 0;
      for (let index = 0; index < SOCKETS; index++) {
        const fd = files.handOver(files.udpToItself());
        events.push(engine.register(fd, {
          read(event) {
            receives++;
            assertEquals(recv(event.fd, new Uint8Array(8), 0), 4);
            for (const other of events) {
              other.close();
              closes++;
            }
          },
          write(event) {
            if (receives > 0) writesAfterwards++;
            sent[index]++;
            assertEquals(send(event.fd, new Uint8Array(4), 0), 4);
            event.disableWrite();
          },
        }));
      }
      for (const event of events) event.enableWrite();
      while (sent.includes(0)) assert(engine.turn(0) > 0, "not all could send");
      assertEquals(receives, 0);
      for (const event of events) {
        waitReadable(event.fd);
        // What is known already would be queued by enabling, before the wait.
        event.writeReady = false;
        event.enable();
      }

      const stale = engine.metrics.staleEvents;
      const reported = engine.poll(0);
      assertEquals(reported, Math.min(SOCKETS, eventsMax));
      assertEquals(engine.dispatch(), 1);
      assertEquals(engine.turn(0), 0);
      assertEquals([receives, closes, writesAfterwards], [1, SOCKETS, 0]);
      assertEquals(sent.filter((count) => count !== 1), []);
      assertEquals(engine.metrics.staleEvents - stale, 2 * reported - 1);
      assertEquals(epollEntries(engine.fd), []);
    });
  }

  test(`${trigger}: ${SOCKETS} datagram sockets that are all closed at the first datagram tell of closing once each`, () => {
    using engine = new Engine({ trigger, dispatchMax: 10_000 });
    const closes = new Map<Disposable, number>();
    let datagrams = 0;
    let errors = 0;
    for (let index = 0; index < SOCKETS; index++) {
      const datagram = engine.datagram({}, {
        data() {
          datagrams++;
          for (const socket of closes.keys()) socket[Symbol.dispose]();
        },
        close(socket) {
          closes.set(socket, (closes.get(socket) ?? 0) + 1);
        },
        error: () => void errors++,
      });
      closes.set(datagram, 0);
      const { localAddress } = datagram;
      assert(localAddress !== null);
      assert(datagram.send(new Uint8Array(4), localAddress));
    }
    while (datagrams === 0) engine.turn(1_000);
    engine.turn(0);
    assertEquals([datagrams, errors], [1, 0]);
    assertEquals([...closes.values()], new Array(SOCKETS).fill(1));
    assertEquals(epollEntries(engine.fd), []);
  });

  test(`${trigger}: connections that are all closed at the first data tell of closing once each`, () => {
    const COUNT = 200;
    using engine = new Engine({ trigger });
    const closes = new Map<unknown, number>();
    let opened = 0;
    let data = 0;
    using listener = engine.listen({ port: 0 }, {
      open(connection) {
        opened++;
        closes.set(connection, 0);
      },
      data() {
        data++;
        for (const connection of closes.keys()) {
          (connection as Disposable)[Symbol.dispose]();
        }
      },
      close(connection) {
        closes.set(connection, (closes.get(connection) ?? 0) + 1);
      },
    });
    using files = new Files();
    const clients = Array.from(
      { length: COUNT },
      () => files.client(listener.port),
    );
    while (opened < COUNT) engine.turn(1_000);
    for (const client of clients) put(client);
    while (data === 0) engine.turn(1_000);
    assertEquals(engine.turn(0), 0);
    assertEquals(data, 1);
    assertEquals([...closes.values()], new Array(COUNT).fill(1));
    assertEquals(listener.connections, 0);
  });

  test(`${trigger}: an event whose read handler closes it is not told that it can be written`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [end, peer] = files.unixPair();
    put(peer);
    const event = engine.register(
      files.handOver(end),
      recorder.handlers("end", { read: (event) => event.close() }),
    );
    event.enable();
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["end read"]);
    assertEquals(engine.turn(0), 0);
  });

  for (const last of ["read", "write"] as const) {
    test(`${trigger}: a descriptor that is ready both ways is read before it is written, after a turn that only ran a ${last} handler too`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const [end, peer] = files.unixPair();
      put(peer);
      const event = engine.register(end, recorder.handlers("end"));
      if (last === "read") event.enableRead();
      else event.enableWrite();
      engine.turn(0);
      assertEquals(recorder.take(), [`end ${last}`]);
      event.delete();
      engine.commit();
      event.readReady = false;
      event.writeReady = false;
      event.enable();
      engine.turn(0);
      assertEquals(recorder.take(), ["end read", "end write"]);
    });
  }

  for (
    const verb of ["disable", "delete", "disableWrite", "blockWrite"] as const
  ) {
    test(`${trigger}: an event whose read handler calls ${verb}() is not told that it can be written`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const [end, peer] = files.unixPair();
      put(peer);
      const event = engine.register(
        end,
        recorder.handlers("end", {
          read(event) {
            event.read(new Uint8Array(8));
            event[verb]();
          },
        }),
      );
      event.enable();
      assertEquals(engine.turn(0), 1);
      assertEquals(recorder.take(), ["end read"]);
      assertEquals(engine.turn(0), 0);
    });
  }

  test(`${trigger}: an event that is closed while a duplicate of its descriptor lives is told nothing more`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [reader, writer] = files.pipe();
    files.dup(reader);
    const event = engine.register(
      files.handOver(reader),
      recorder.handlers("reader"),
    );
    event.enableRead();
    engine.commit();
    event.close();
    put(writer);
    assertEquals(engine.poll(0), 0);
    assertEquals(engine.dispatch(), 0);
    assertEquals(recorder.take(), []);
    assertEquals(epollEntries(engine.fd), []);
  });

  test(`${trigger}: what the kernel goes on reporting of a file that was closed behind the engine's back does not reach the number's next owner`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [reader, writer] = files.pipe();
    const old = engine.register(reader, recorder.handlers("old"));
    old.enableRead();
    engine.commit();
    files.dup(reader);
    files.close(reader);
    old.detach();
    const counter = files.eventfd();
    assertEquals(counter, reader);
    const owner = engine.register(counter, recorder.handlers("owner"));
    owner.enableRead();
    engine.commit();
    put(writer);
    const stale = engine.metrics.staleEvents;
    assertEquals(engine.poll(0), 1);
    assertEquals(engine.dispatch(), 0);
    assertEquals(engine.metrics.staleEvents, stale + 1);
    assertEquals(owner.readReady, false);
    add(counter);
    engine.turn(0);
    assertEquals(recorder.take(), ["owner read"]);
  });

  test(`${trigger}: delete, enable and delete inside a handler leave nothing to wake up for`, () => {
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const recorder = new Recorder();
    const event = engine.register(
      files.eventfd(1),
      recorder.handlers("counter", {
        read(event) {
          event.delete();
          event.enable();
          event.delete();
        },
      }),
    );
    event.enableRead();
    engine.turn(0);
    assertEquals(recorder.take(), ["counter read"]);

    kernel.reset();
    assertEquals(engine.turn(30), 0);
    assertEquals(recorder.take(), []);
    assertEquals(epollEntries(engine.fd), []);
    // One wait that lasts, perhaps a second one for what was left of it.
    const waits = kernel.count("epoll_wait") + kernel.count("epoll_pwait2");
    assert(waits <= 3, `${waits} waits`);
    assertEquals([event.readState, event.writeState], ["inactive", "inactive"]);
  });

  test(`${trigger}: enable and delete before a commit make no system call`, () => {
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const event = engine.register(
      files.eventfd(1),
      new Recorder().handlers(""),
    );
    kernel.reset();
    event.enable();
    assertEquals(event.changing, true);
    event.delete();
    assertEquals(event.changing, false);
    assertEquals(engine.commit(), 0);
    assertEquals(kernel.log, []);
    assertEquals(epollEntries(engine.fd), []);
    assertEquals(engine.turn(0), 0);
  });

  for (const verb of ["delete", "disable", "detach"] as const) {
    test(`${trigger}: a listener that leaves by ${verb}() after a client connected is not told; a wake-up is`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const listening = files.listener();
      const listener = engine.register(
        listening.fd,
        recorder.handlers("listener"),
      );
      const counter = files.eventfd();
      const wakeUp = engine.register(counter, recorder.handlers("wake-up"));
      listener.enableRead();
      wakeUp.enableRead();
      engine.commit();
      files.client(listening.port);
      waitReadable(listening.fd);
      listener[verb]();
      add(counter);
      assertEquals(engine.poll(1_000), 1);
      assertEquals(engine.dispatch(), 1);
      assertEquals(recorder.take(), ["wake-up read"]);
    });

    test(`${trigger}: an event that leaves by ${verb}() after the wait that reported it is not told`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const event = engine.register(
        files.eventfd(1),
        recorder.handlers("counter"),
      );
      event.enable();
      assertEquals(engine.poll(0), 1);
      event[verb]();
      assertEquals(engine.dispatch(), 0);
      assertEquals(engine.turn(0), 0);
      assertEquals(recorder.take(), []);
    });
  }

  test(`${trigger}: what was ready to be read is not told once only writing is asked for`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [end, peer] = files.unixPair();
    const event = engine.register(end, recorder.handlers("end"));
    event.enableRead();
    engine.commit();
    put(peer);
    event.disableRead();
    event.enableWrite();
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["end write"]);
  });

  test(`${trigger}: a queued read is dropped when the interest changes to writing before it runs`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [end, peer] = files.unixPair();
    const event = engine.register(end, recorder.handlers("end"));
    event.enableRead();
    put(peer);
    assertEquals(engine.poll(0), 1);
    event.disableRead();
    event.enableWrite();
    engine.turn(0);
    assertEquals(recorder.take(), ["end write"]);
  });

  test(`${trigger}: what is ready is told to the handlers that a descriptor was registered with last`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd(1);
    const old = engine.register(counter, recorder.handlers("old"));
    old.enableRead();
    assertEquals(engine.poll(0), 1);
    assertEquals(old.detach(), counter);
    const renewed = engine.register(counter, recorder.handlers("new"));
    renewed.enableRead();
    assertEquals(engine.dispatch(), 0);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["new read"]);
  });

  test(`${trigger}: a handler that is replaced while its event is queued is not called, the new one is`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const handlers = recorder.handlers("old");
    const event = engine.register(files.eventfd(1), handlers);
    event.enableRead();
    assertEquals(engine.poll(0), 1);
    Object.assign(handlers, recorder.handlers("new"));
    assertEquals(engine.dispatch(), 1);
    assertEquals(recorder.take(), ["new read"]);
  });

  for (const committed of ["already", "with the next commit"]) {
    test(`${trigger}: leaving after the number was given to another file by dup, ${committed}, harms neither`, () => {
      using files = new Files();
      const errors: unknown[] = [];
      using engine = new Engine({
        trigger,
        onError: (error) => errors.push(error),
      });
      const recorder = new Recorder();
      const old = files.eventfd();
      const other = files.eventfd();
      const event = engine.register(old, {
        read: () => recorder.note("read"),
        write: () => recorder.note("write"),
      });
      event.enableRead();
      engine.commit();
      if (committed === "already") {
        files.dupTo(other, old);
        event.delete();
        engine.commit();
      } else {
        event.delete();
        files.dupTo(other, old);
        engine.commit();
      }
      assertEquals(errors, []);
      event.detach();

      // The number is open, and works in the engine as the other file.
      assert(fcntl(old, F_GETFD) >= 0);
      add(other);
      assertEquals(engine.turn(0), 0);
      assertEquals(recorder.take(), []);
      const renewed = engine.register(old, recorder.handlers("new"));
      renewed.enableRead();
      assertEquals(engine.turn(0), 1);
      assertEquals(recorder.take(), ["new read"]);
      assertEquals(errors, []);
    });
  }

  test(`${trigger}: leaving after the descriptor was closed is no error`, () => {
    using files = new Files();
    const errors: unknown[] = [];
    using engine = new Engine({
      trigger,
      onError: (error) => errors.push(error),
    });
    const counter = files.eventfd(1);
    const event = engine.register(counter, {});
    event.enableRead();
    engine.commit();
    files.close(counter);
    event.delete();
    assertEquals(engine.commit(), 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(errors, []);
    event.detach();
  });
}

test("a kernel event that was taken up before its number was reused carries the former generation", () => {
  using files = new Files();
  using engine = new Engine();
  const counter = files.eventfd();
  const seen = new Set<bigint>();
  for (let round = 0; round < 1_000; round++) {
    const event = engine.register(counter, {});
    event.enableRead();
    engine.commit();
    const entry = epollEntry(engine.fd, counter);
    assert(entry !== undefined);
    seen.add(entry.data);
    event.detach();
  }
  assertEquals(seen.size, 1_000);
});

test("the kernel reports a closed descriptor under its old number while a duplicate lives, and refuses to forget it", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const [reader, writer] = files.pipe();
  files.dup(reader);
  assertEquals(epoll.add(reader, EPOLLIN | EPOLLET), 0);
  files.close(reader);
  put(writer);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  assertEquals(errnoName(epoll.remove(reader)), errnoName(EBADF));
  put(writer);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
});
