/**
 * Every verb from every pair of states, against the kernel: the states, the
 * kernel's own view, the calls of the commit, and the handlers queued are
 * compared with an oracle that knows the documented rules alone.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { Engine, type EventState, type Trigger } from "../mod.ts";
import { test } from "./support/descriptors.ts";
import { VERBS } from "./support/matrix_oracle.ts";
import { countedCalls, Rig, type Step } from "./support/matrix_rig.ts";
import { generator } from "./support/random.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];

/** A pair of states, what is special about it, and a way to come to it. */
interface Start {
  states: [EventState, EventState];
  note?: string;
  steps: Step[];
}

/** Every pair that the verbs and the kernel can bring about. */
const STARTS: Start[] = [
  { states: ["inactive", "inactive"], steps: [] },
  {
    states: ["inactive", "inactive"],
    note: "deleted",
    steps: ["enable", "commit", "delete", "commit"],
  },
  { states: ["active", "inactive"], steps: ["enableRead", "commit"] },
  { states: ["inactive", "active"], steps: ["enableWrite", "commit"] },
  { states: ["active", "active"], steps: ["enable", "commit"] },
  { states: ["oneshot", "inactive"], steps: ["oneshotRead", "commit"] },
  { states: ["inactive", "oneshot"], steps: ["oneshotWrite", "commit"] },
  {
    states: ["oneshot", "active"],
    steps: ["oneshotRead", "enableWrite", "commit"],
  },
  {
    states: ["active", "oneshot"],
    steps: ["oneshotWrite", "enableRead", "commit"],
  },
  {
    states: ["oneshot", "blocked"],
    steps: ["oneshotRead", "enableWrite", "blockWrite", "commit"],
  },
  {
    states: ["blocked", "oneshot"],
    steps: ["oneshotWrite", "enableRead", "blockRead", "commit"],
  },
  {
    states: ["disabled", "inactive"],
    steps: ["oneshotRead", "commit", "reportRead", "dispatch"],
  },
  {
    states: ["inactive", "disabled"],
    steps: ["oneshotWrite", "commit", "reportWrite", "dispatch"],
  },
  {
    states: ["disabled", "active"],
    steps: [
      "oneshotRead",
      "enableWrite",
      "commit",
      "reportRead",
      "commit",
      "dispatch",
    ],
  },
  {
    states: ["active", "disabled"],
    steps: [
      "oneshotWrite",
      "enableRead",
      "commit",
      "reportWrite",
      "commit",
      "dispatch",
    ],
  },
  {
    states: ["disabled", "active"],
    note: "spent, the kernel not told yet",
    steps: ["oneshotRead", "enableWrite", "commit", "reportRead", "dispatch"],
  },
  {
    states: ["disabled", "blocked"],
    steps: [
      "oneshotRead",
      "enableWrite",
      "blockWrite",
      "commit",
      "reportRead",
      "commit",
      "dispatch",
    ],
  },
  {
    states: ["blocked", "disabled"],
    steps: [
      "oneshotWrite",
      "enableRead",
      "blockRead",
      "commit",
      "reportWrite",
      "commit",
      "dispatch",
    ],
  },
  {
    states: ["disabled", "inactive"],
    note: "its handler queued",
    steps: ["oneshotRead", "commit", "reportRead"],
  },
  {
    states: ["inactive", "disabled"],
    note: "its handler queued",
    steps: ["oneshotWrite", "commit", "reportWrite"],
  },
  {
    states: ["active", "active"],
    note: "the read handler queued",
    steps: ["enable", "commit", "reportRead"],
  },
  {
    states: ["active", "active"],
    note: "the write handler queued",
    steps: ["enable", "commit", "reportWrite"],
  },
  {
    states: ["blocked", "inactive"],
    steps: ["enableRead", "commit", "blockRead"],
  },
  {
    states: ["inactive", "blocked"],
    steps: ["enableWrite", "commit", "blockWrite"],
  },
  {
    states: ["blocked", "active"],
    steps: ["enable", "commit", "blockRead"],
  },
  {
    states: ["active", "blocked"],
    steps: ["enable", "commit", "blockWrite"],
  },
  {
    states: ["blocked", "blocked"],
    steps: ["enable", "commit", "blockRead", "blockWrite"],
  },
  {
    states: ["blocked", "inactive"],
    note: "a one-shot",
    steps: ["oneshotRead", "commit", "blockRead"],
  },
  {
    states: ["inactive", "blocked"],
    note: "a one-shot",
    steps: ["oneshotWrite", "commit", "blockWrite"],
  },
  {
    states: ["blocked", "inactive"],
    note: "a one-shot that was spent while blocked",
    steps: ["oneshotRead", "commit", "blockRead", "reportRead"],
  },
  {
    states: ["inactive", "blocked"],
    note: "a one-shot that was spent while blocked",
    steps: ["oneshotWrite", "commit", "blockWrite", "reportWrite"],
  },
  {
    states: ["blocked", "inactive"],
    note: "a spent one-shot",
    steps: ["oneshotRead", "commit", "reportRead", "dispatch", "blockRead"],
  },
  {
    states: ["inactive", "blocked"],
    note: "a spent one-shot",
    steps: ["oneshotWrite", "commit", "reportWrite", "dispatch", "blockWrite"],
  },
  {
    states: ["blocked", "active"],
    note: "a spent one-shot",
    steps: [
      "oneshotRead",
      "enableWrite",
      "commit",
      "reportRead",
      "dispatch",
      "commit",
      "blockRead",
    ],
  },
  {
    states: ["active", "inactive"],
    note: "an accept entry",
    steps: ["enableAccept", "commit"],
  },
  {
    states: ["blocked", "inactive"],
    note: "an accept entry",
    steps: ["enableAccept", "commit", "blockRead", "commit"],
  },
  {
    states: ["blocked", "inactive"],
    note: "an accept entry that is still in the kernel",
    steps: ["enableAccept", "commit", "blockRead"],
  },
  {
    states: ["inactive", "inactive"],
    note: "a disabled accept entry",
    steps: ["enableAccept", "commit", "disableRead", "commit"],
  },
  {
    states: ["active", "inactive"],
    note: "an accept entry with its handler queued",
    steps: ["enableAccept", "commit", "reportRead"],
  },
];

function startName({ states, note }: Start): string {
  return states.join("/") + (note === undefined ? "" : `, ${note}`);
}

/** Makes rigs in one engine, and gathers what differed in any. */
class Matrix implements Disposable {
  readonly #trigger: Trigger;
  readonly #counting = countedCalls();
  readonly #engine: Engine;
  readonly #differences: string[] = [];
  #steps = 0;

  constructor(trigger: Trigger) {
    this.#trigger = trigger;
    this.#engine = new Engine({ trigger }, this.#counting.calls);
  }

  /** Comes to a start, sets the ready flags if asked to, and goes on from there. */
  run(start: Start, ready: boolean | null, steps: Step[]): void {
    const rig = new Rig(this.#engine, this.#counting, this.#trigger);
    for (const step of start.steps) rig.step(step);
    assertEquals(rig.states, start.states, startName(start));
    if (ready !== null) rig.setReady(ready);
    this.go(rig, steps, `${startName(start)}; ready ${ready}`);
  }

  /** Goes through steps from nothing. */
  runFresh(steps: Step[]): void {
    const rig = new Rig(this.#engine, this.#counting, this.#trigger);
    this.go(rig, steps, "fresh");
  }

  go(rig: Rig, steps: Step[], from: string): void {
    for (const step of steps) rig.step(step);
    this.#steps += steps.length;
    this.#differences.push(
      ...rig.differences.map((text) =>
        `${this.#trigger}: from ${from}: ${steps.join(" ")}: ${text}`
      ),
    );
    rig.close();
  }

  /** Fails with the first of what differed. */
  assertSame(): void {
    assertGreater(this.#steps, 0);
    const count = this.#differences.length;
    assertEquals(this.#differences.slice(0, 20), [], `${count} differences`);
  }

  [Symbol.dispose](): void {
    this.#engine.close();
  }
}

/** What the flags are set to; null leaves them as they have become. */
const FLAGS = [false, true, null];

for (const trigger of TRIGGERS) {
  for (const start of STARTS) {
    test(`${trigger}: every verb from ${startName(start)}`, () => {
      using matrix = new Matrix(trigger);
      for (const verb of VERBS) {
        for (const ready of FLAGS) {
          matrix.run(start, ready, [verb, "commit", "dispatch", "commit"]);
        }
      }
      matrix.assertSame();
    });
  }

  test(`${trigger}: every two verbs before one commit, from every state`, () => {
    using matrix = new Matrix(trigger);
    for (const start of STARTS) {
      for (const first of VERBS) {
        for (const second of VERBS) {
          for (const ready of FLAGS) {
            matrix.run(start, ready, [first, second, "commit", "dispatch"]);
          }
        }
      }
    }
    matrix.assertSame();
  });

  test(`${trigger}: verbs and commits in 1,500 random orders`, () => {
    using matrix = new Matrix(trigger);
    const random = generator(trigger === "edge" ? 1 : 2);
    const open = VERBS.filter((verb) => verb !== "close");
    const others: Step[] = ["commit", "commit", "dispatch"];
    for (let round = 0; round < 1_500; round++) {
      const length = 2 + random(10);
      const steps: Step[] = Array.from({ length }, () => {
        const choice = random(open.length + others.length);
        return open[choice] ?? others[choice - open.length] as Step;
      });
      matrix.runFresh([...steps, "commit", "dispatch", "close"]);
    }
    matrix.assertSame();
  });
}

test("the starts have every pair of states that verbs can bring about", () => {
  // Each one-shot makes the other direction inactive, so that two can't stand
  // beside each other, and a spent one only beside what came after it.
  const impossible = [
    "oneshot/oneshot",
    "oneshot/disabled",
    "disabled/oneshot",
    "disabled/disabled",
  ];
  const states: EventState[] = [
    "inactive",
    "disabled",
    "blocked",
    "oneshot",
    "active",
  ];
  const pairs = states.flatMap((read) =>
    states.map((write) => `${read}/${write}`)
  );
  const covered = new Set(STARTS.map(({ states }) => states.join("/")));
  assertEquals(
    pairs.filter((pair) => !covered.has(pair)),
    impossible.sort((
      a,
      b,
    ) => pairs.indexOf(a) - pairs.indexOf(b)),
  );
});
