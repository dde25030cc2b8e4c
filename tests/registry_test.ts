/** Numbers and generations: nothing meant for an earlier owner arrives. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Engine, type Trigger } from "../mod.ts";
import { systemCalls } from "../ffi/mod.ts";
import { FdEvent } from "../src/fd_event.ts";
import { Loop } from "../src/loop.ts";
import { Registry } from "../src/registry.ts";
import { triggerRules } from "../src/trigger.ts";
import { Files } from "./conformance/files.ts";
import { test } from "./support/descriptors.ts";
import { epollEntry } from "./support/fdinfo.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];

/** Makes events that are in no engine's registry. */
class Events implements Disposable {
  readonly #loop = new Loop(
    systemCalls,
    triggerRules("edge"),
    { eventsMax: 1, changesMax: 1, dispatchMax: 1, spinUs: 0 },
    undefined,
  );

  make(fd: number): FdEvent {
    return new FdEvent(fd, {}, this.#loop);
  }

  [Symbol.dispose](): void {
    this.#loop.close();
  }
}

test("an event is found by its number and generation, and by its number alone", () => {
  using events = new Events();
  const registry = new Registry();
  const added = Array.from({ length: 100 }, (_, fd) => events.make(fd * 7));
  for (const event of added) registry.add(event);
  assertEquals(registry.size, 100);
  for (const event of added) {
    assertStrictEquals(registry.find(event.fd, event.generation), event);
    assertStrictEquals(registry.byFd(event.fd), event);
  }
  assertEquals(registry.all().length, 100);
  for (const event of added) registry.remove(event);
  assertEquals([registry.size, registry.all().length], [0, 0]);
  for (const event of added) {
    assertEquals(registry.find(event.fd, event.generation), null);
    assertEquals(registry.byFd(event.fd), null);
  }
});

test("what nobody has is not found", () => {
  const registry = new Registry();
  for (const slot of [0, 1, -1, 0x7fffffff, -0x80000000]) {
    assertEquals(registry.find(slot, 0), null);
    assertEquals(registry.find(slot, -1), null);
  }
});

test("the highest numbers are found beside the lowest, and listed at once", () => {
  using events = new Events();
  const registry = new Registry();
  const added = [0x7fffffff, 3, 1_000_000, 4].map((fd) => events.make(fd));
  for (const event of added) registry.add(event);
  for (const event of added) {
    assertStrictEquals(registry.find(event.fd, event.generation), event);
  }
  assertEquals(new Set(registry.all()), new Set(added));
});

test("an event that is let go late leaves the new owner of its number alone", () => {
  using events = new Events();
  const registry = new Registry();
  const [before, after] = [events.make(5), events.make(5)];
  registry.add(before);
  registry.add(after);
  registry.remove(before);
  assertStrictEquals(registry.byFd(5), after);
  assertStrictEquals(registry.find(5, after.generation), after);
  assertEquals(registry.size, 1);
  registry.remove(after);
  registry.remove(after);
  assertEquals(registry.size, 0);
});

test("a number that is used again does not find its earlier owners", () => {
  using events = new Events();
  const registry = new Registry();
  const earlier: FdEvent[] = [];
  for (let round = 0; round < 1_000; round++) {
    const event = events.make(5);
    registry.add(event);
    assertStrictEquals(registry.find(event.fd, event.generation), event);
    for (const { fd, generation } of earlier) {
      assertEquals(registry.find(fd, generation), null);
    }
    registry.remove(event);
    if (earlier.length < 50) earlier.push(event);
  }
});

for (const first of [0x7ffffffe, -2, -1, 0x7fffffff, 0xffffffff]) {
  test(`generations wrap at 32 bits, starting from ${first}`, () => {
    using events = new Events();
    const registry = new Registry(first);
    const seen = new Set<number>();
    let last: FdEvent | null = null;
    for (let round = 0; round < 5; round++) {
      const event = events.make(5);
      registry.add(event);
      assertEquals(event.generation, event.generation | 0, "a signed word");
      assertStrictEquals(registry.find(event.fd, event.generation), event);
      if (last !== null) {
        assertEquals(registry.find(last.fd, last.generation), null);
        assertEquals(event.generation, (last.generation + 1) | 0);
      }
      seen.add(event.generation);
      registry.remove(event);
      last = event;
    }
    assertEquals(seen.size, 5);
  });
}

for (const trigger of TRIGGERS) {
  test(`${trigger}: the kernel keeps the number and the generation of each entry`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const data: bigint[] = [];
    for (let round = 0; round < 5; round++) {
      const fd = files.handOver(files.eventfd());
      const event = engine.register(fd, {});
      event.enableRead();
      engine.commit();
      const entry = epollEntry(engine.fd, fd);
      assert(entry !== undefined);
      data.push(entry.data);
      event.enableWrite();
      engine.commit();
      assertEquals(epollEntry(engine.fd, fd)?.data, entry.data);
      event.close();
    }
    const numbers = new Set(data.map((word) => word & 0xffffffffn));
    const generations = data.map((word) => word >> 32n);
    assertEquals(numbers.size, 1);
    assertEquals(new Set(generations).size, 5);
  });

  test(`${trigger}: a number that changes hands 100 times inside one batch tells nobody of the first owner's event`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const called: string[] = [];
    const first = engine.register(files.eventfd(1), {
      read: () => {
        called.push("first");
        replace();
      },
    });
    const second = engine.register(files.handOver(files.eventfd(1)), {
      read: () => {
        called.push("second");
        replace();
      },
    });
    let last = second;
    let replaced = false;
    const replace = () => {
      if (replaced) return;
      replaced = true;
      for (let round = 0; round < 100; round++) {
        // The lowest free number is taken: the one that was just closed.
        last.close();
        last = engine.register(files.handOver(files.eventfd()), {
          read: () => void called.push("a later owner"),
        });
        last.enableRead();
      }
      assertEquals(last.fd, second.fd);
    };
    first.enableRead();
    second.enableRead();
    assertEquals(engine.poll(0), 2);
    engine.dispatch();
    // Only one of the two was there to be told by the time of its turn, unless
    // the second came first and told itself.
    const [earliest] = called;
    assert(earliest === "first" || earliest === "second");
    assertEquals(called.includes("a later owner"), false);
    first.disable();
    engine.turn(0);
    engine.turn(0);
    assertEquals(called.includes("a later owner"), false);
    last.close();
  });

  test(`${trigger}: kernel events taken up after the descriptor changed hands are stale`, () => {
    using files = new Files();
    using engine = new Engine({ trigger, eventsMax: 1 });
    let called = 0;
    // The kernel keeps reporting an entry of a file that lives on in a copy.
    const fd = files.handOver(files.eventfd(1));
    files.dup(fd);
    const before = engine.register(fd, { read: () => void called++ });
    before.enableRead();
    engine.turn(0);
    assertEquals(called, 1);
    before.close();
    const after = engine.register(files.handOver(files.eventfd()), {
      read: () => void (called += 100),
    });
    after.enableRead();
    assertEquals(after.fd, fd, "the number is used again");
    for (let turn = 0; turn < 5; turn++) engine.turn(0);
    assertEquals(called, 1);
    after.close();
  });
}
