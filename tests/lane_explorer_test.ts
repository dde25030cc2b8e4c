/** The explorer finds what it is there to find: each kind of mistake, made on purpose. */
import { declareTest } from "./support/runner.ts";
import { assertEquals, assertThrows } from "@std/assert";
import {
  type Exploration,
  explore,
  type Party,
  step,
  type World,
} from "./lane_explorer.ts";
import type { Saved } from "./lane_states.ts";

const words = new Int32Array(new SharedArrayBuffer(64));

/** A party that runs one operation after another, and remembers one number. */
class Script implements Party {
  value = 0;
  #next = 0;

  constructor(
    readonly name: string,
    readonly operations: readonly ((script: Script) => void)[],
    readonly repeats = false,
  ) {}

  isDone(): boolean {
    return !this.repeats && this.#next === this.operations.length;
  }

  run(): void {
    this.operations[this.#next](this);
    this.#next++;
    if (this.repeats) this.#next %= this.operations.length;
  }

  save(): Saved {
    return { next: this.#next, value: this.value };
  }

  restore(saved: Saved): void {
    this.#next = saved.next as number;
    this.value = saved.value as number;
  }
}

/** An eventfd in an edge-triggered epoll set. */
class Bell implements World {
  rung = false;

  ring(): void {
    step("ring", () => this.rung = true);
  }

  wait(): void {
    step("wait", () => this.rung = false, () => this.rung);
  }

  save(): Saved {
    return { rung: this.rung };
  }

  restore(saved: Saved): void {
    this.rung = saved.rung as boolean;
  }
}

function exploring(
  parties: Script[],
  atEnd: () => void,
  more: Partial<Exploration> = {},
): () => void {
  words.fill(0);
  const memory = words.buffer;
  const world = new Bell();
  return () => explore({ memory, world, parties, atEnd, ...more });
}

declareTest("explore() comes to every outcome of two parties' steps", () => {
  const outcomes = new Set<string>();
  const addTwice = (script: Script): void => {
    const before = Atomics.load(words, 0);
    Atomics.store(words, 0, before + 1);
    script.value += before;
  };
  const parties = ["a", "b"].map((name) =>
    new Script(name, [addTwice, addTwice])
  );
  exploring(parties, () => {
    outcomes.add(`${words[0]} ${parties.map(({ value }) => value)}`);
  })();
  const totals = new Set([...outcomes].map((outcome) => outcome[0]));
  assertEquals([...totals].sort(), ["2", "3", "4"]);
});

declareTest("explore() tells which steps led to a failure", () => {
  const add = (): void => {
    Atomics.store(words, 0, Atomics.load(words, 0) + 1);
  };
  const parties = [new Script("a", [add]), new Script("b", [add])];
  const { message } = assertThrows(
    exploring(parties, () => assertEquals(words[0], 2)),
    Error,
  );
  const steps = message.split("\n").filter((line) => /^[ab]: /.test(line));
  assertEquals(steps.toSorted(), [
    "a: load 0",
    "a: store 0 1",
    "b: load 0",
    "b: store 0 1",
  ]);
});

/** Publishes word 1 by word 0, in the one order or the other. */
function writer(operation: () => void): Script {
  return new Script("writer", [operation]);
}

function reader(): Script {
  return new Script("reader", [(script) => {
    if (Atomics.load(words, 0) === 0) return;
    script.value = words[1];
    Atomics.store(words, 2, 1);
  }]);
}

declareTest("explore() accepts what is written before it is published", () => {
  const careful = writer(() => {
    words[1] = 0x01020304;
    Atomics.store(words, 0, 1);
    Atomics.load(words, 2);
  });
  exploring([careful, reader()], () => {})();
});

declareTest("explore() finds what is published before it is written", () => {
  const hasty = writer(() => {
    Atomics.store(words, 0, 1);
    words[1] = 0x01020304;
    Atomics.load(words, 2);
  });
  assertThrows(exploring([hasty, reader()], () => {}), Error, "race");
});

declareTest("explore() finds what is given back before it is read", () => {
  const hasty = new Script("reader", [(script) => {
    Atomics.store(words, 0, 1);
    script.value = words[1];
    Atomics.load(words, 2);
  }]);
  const other = new Script("writer", [() => {
    if (Atomics.load(words, 0) === 0) return;
    words[1] = 0x01020304;
    Atomics.store(words, 2, 1);
  }]);
  assertThrows(exploring([hasty, other], () => {}), Error, "race");
});

declareTest("explore() finds a wait that nobody ends", () => {
  const waiter = new Script("waiter", [() => {
    if (Atomics.load(words, 0) === 0) Atomics.wait(words, 1, 0);
  }]);
  const waker = new Script("waker", [() => {
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 1);
  }]);
  const check = () => assertEquals(waiter.isDone(), true);
  assertThrows(exploring([waiter, waker], check), Error, "wait 4 0");
  const fair = new Script("waker", [() => {
    Atomics.store(words, 0, 1);
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
  }]);
  exploring([waiter, fair], check)();
});

/**
 * Two senders, each of which adds 1 to its own word and then wakes a receiver
 * that may be asleep, as word 0 says; `wake` is the way in which they do.
 */
function wakingUp(wake: (bell: Bell) => void, mortal: boolean): () => void {
  const bell = new Bell();
  const senders = [1, 2].map((word) => {
    const post = (): void => {
      Atomics.store(words, word, Atomics.load(words, word) + 1);
      wake(bell);
    };
    return new Script(`sender ${word}`, [post, post]);
  });
  const look = (script: Script): void => {
    script.value = Atomics.load(words, 1) * 10 + Atomics.load(words, 2);
  };
  let before = 0;
  const receiver = new Script("receiver", [
    (script) => {
      before = script.value;
      Atomics.store(words, 0, 1);
      look(script);
      if (script.value === before) bell.wait();
      Atomics.store(words, 0, 0);
    },
    look,
  ], true);
  const atEnd = () => {
    for (const [index, sender] of senders.entries()) {
      const seen = index === 0
        ? Math.floor(receiver.value / 10)
        : receiver.value % 10;
      if (sender.isDone()) assertEquals(seen, words[index + 1], "lost");
    }
  };
  const parties = [...senders, receiver];
  const more = { world: bell, mortal: mortal ? [senders[0]] : [] };
  return exploring(parties, atEnd, more);
}

declareTest(
  "explore() finds a receiver that is declared awake too late",
  () => {
    const late = wakingUp((bell) => {
      if (Atomics.load(words, 0) === 0) return;
      bell.ring();
      Atomics.store(words, 0, 0);
    }, false);
    assertThrows(late, Error, "lost");
  },
);

declareTest("explore() finds a wake-up that dies with its sender", () => {
  const wake = (bell: Bell): void => {
    if (Atomics.exchange(words, 0, 0) !== 0) bell.ring();
  };
  wakingUp(wake, false)();
  assertThrows(wakingUp(wake, true), Error, "lost");
});
