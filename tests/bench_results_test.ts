/** The arithmetic of the benchmark, with made-up samples. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Child } from "../bench/children.ts";
import {
  column,
  type Figure,
  othersBusy,
  ratio,
  spreadOf,
} from "../bench/figures.ts";
import { formatResult, formatTime } from "../bench/report.ts";
import {
  differenceOf,
  median,
  ratioOf,
  type Result,
  statistic,
  summarize,
  verdicts,
} from "../bench/results.ts";
import { choosePeers, takeTurns } from "../bench/rounds.ts";
import {
  anew,
  type Context,
  countSlices,
  type Peer,
  type Subject,
  type Target,
  uncut,
} from "../bench/workload.ts";

const speed: Figure = { name: "speed", title: "m/s", means: "", digits: 0 };
const cost: Figure = { name: "cost", title: "€", means: "", digits: 2 };

/** Speeds by round, each with a cost of a hundredth. */
function result(
  speeds: Record<string, number[]>,
  targets: Target[] = [],
  busy = 0,
): Result {
  return {
    workload: {
      name: "race",
      title: "A race",
      columns: [
        column(speed),
        spreadOf(speed),
        ratio(speed, "hare", "of hare"),
      ],
      charted: [speed],
      targets,
      ...uncut(0),
      candidates: () => [],
    },
    peers: Object.entries(speeds).map(([name, values]) => ({
      name,
      label: `The ${name}`,
      samples: values.map((value) => ({
        speed: value,
        cost: value / 100,
        [othersBusy]: busy,
      })),
      counted: {},
    })),
  };
}

function peer(name: string, measure: Subject["measure"]): Peer {
  return { name, label: name, open: anew(measure) };
}

Deno.test("a median is the middle, or between the two in the middle", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([9, 1, 5, 3]), 4);
  assertEquals(median([7]), 7);
});

Deno.test("a statistic has the middle and the ends, and NaN for what is not there", () => {
  const { peers } = result({ hare: [3, 1, 2] });
  assertEquals(statistic(peers[0], speed), { median: 2, min: 1, max: 3 });
  const unknown = { ...speed, name: "unknown" };
  assertEquals(statistic(peers[0], unknown).median, NaN);
});

Deno.test("what is counted apart stands for all rounds", () => {
  const { peers } = result({ hare: [3, 1, 2] });
  const counted = { ...peers[0], counted: { calls: 4 } };
  const calls = { ...speed, name: "calls" };
  assertEquals(statistic(counted, calls), { median: 4, min: 4, max: 4 });
});

Deno.test("peers are compared within each round, not by their medians", () => {
  // The machine was slow in the second round, for both of them.
  const race = result({ hare: [100, 10, 40], tortoise: [50, 10, 40] });
  assertEquals(ratioOf("tortoise", "hare", speed, race), 1);
  assertEquals(differenceOf("tortoise", "hare", speed, race), 0);
  assertEquals(ratioOf("tortoise", "snail", speed, race), null);
});

Deno.test("targets are bounds on a ratio, on a difference, or on a figure", () => {
  const race = result({ hare: [100], tortoise: [90] }, [
    { peer: "tortoise", figure: speed, of: "hare", atLeast: 0.9 },
    { peer: "tortoise", figure: speed, of: "hare", atLeast: 0.91 },
    {
      peer: "hare",
      figure: speed,
      of: "tortoise",
      by: "difference",
      atMost: 10,
    },
    {
      peer: "hare",
      figure: speed,
      of: "tortoise",
      by: "difference",
      atMost: 9,
    },
    { peer: "tortoise", figure: cost, atMost: 0.9 },
    { peer: "tortoise", figure: cost, atMost: 0.89 },
  ]);
  const reached = verdicts(race).map(({ value, isMet }) => ({ value, isMet }));
  assertEquals(reached, [
    { value: 0.9, isMet: true },
    { value: 0.9, isMet: false },
    { value: 10, isMet: true },
    { value: 10, isMet: false },
    { value: 0.9, isMet: true },
    { value: 0.9, isMet: false },
  ]);
  assertEquals(
    summarize(race).targets.map(({ isMet }) => isMet),
    [true, false, true, false, true, false],
  );
});

Deno.test("a target says nothing where one of its peers did not run", () => {
  const race = result({ hare: [100] }, [
    { peer: "tortoise", figure: speed, of: "hare", atLeast: 0.9 },
    { peer: "hare", figure: speed, of: "tortoise", atLeast: 0.9 },
    { peer: "tortoise", figure: speed, atLeast: 1 },
    { peer: "hare", figure: { ...speed, name: "unknown" }, atLeast: 1 },
  ]);
  assertEquals(verdicts(race), []);
});

Deno.test("the table shows medians, spread, ratios and verdicts", () => {
  const text = formatResult(
    result({ hare: [1000, 2000, 3000], tortoise: [500, 1000, 1500] }, [
      { peer: "tortoise", figure: speed, of: "hare", atLeast: 0.9 },
      { peer: "tortoise", figure: cost, atMost: 10 },
    ]),
  );
  assertEquals(text.split("\n"), [
    "",
    "A race",
    "",
    "                m/s     ±  of hare",
    "The hare      2,000  50 %     1.00",
    "The tortoise  1,000  50 %     0.50",
    "",
    "target: tortoise, m/s, at least 0.9 of hare   0.50  NOT MET",
    "target: tortoise, €, at most 10              10.00      met",
  ]);
});

Deno.test("the table warns when the machine was not quiet", () => {
  const quiet = formatResult(result({ hare: [1] }, [], 0.01));
  assert(!quiet.includes("not quiet"));
  const noisy = formatResult(result({ hare: [1] }, [], 0.2));
  assertStringIncludes(noisy, "used 20 % of the cores, 20 % in the worst turn");
});

Deno.test("times are in the unit that fits", () => {
  assertEquals(formatTime(41.2), "42 s");
  assertEquals(formatTime(1800), "30 minutes");
});

Deno.test("peers take turns, and none is always the first", async () => {
  const turns: string[] = [];
  const peers = ["a", "b", "c"].map((name) =>
    peer(name, () => {
      turns.push(name);
      return Promise.resolve({ speed: turns.length });
    })
  );
  const results = await takeTurns(peers, 3, 1, {} as Context, () => {});
  assertEquals(turns.join(""), "abcacbcab");
  assertEquals(results[0].samples, [{ speed: 1 }, { speed: 4 }, { speed: 8 }]);
});

Deno.test("within a round all peers run, take turns slice by slice, and then end", async () => {
  const log: string[] = [];
  const peers = ["a", "b"].map((name): Peer => ({
    name,
    label: name,
    open() {
      log.push(`${name} opens`);
      return Promise.resolve({
        measure({ seconds }) {
          log.push(`${name} ${seconds} s`);
          return Promise.resolve({ speed: log.length });
        },
        [Symbol.asyncDispose]() {
          log.push(`${name} ends`);
          return Promise.resolve();
        },
      });
    },
  }));
  const context = { seconds: 0.5 } as Context;
  const results = await takeTurns(peers, 1, 2, context, () => {});
  assertEquals(log, [
    ...["a opens", "b opens", "a 0.25 s", "b 0.25 s", "a 0.25 s", "b 0.25 s"],
    ...["b ends", "a ends"],
  ]);
  assertEquals(results.map(({ samples }) => samples), [
    [{ speed: (3 + 5) / 2 }],
    [{ speed: (4 + 6) / 2 }],
  ]);
});

Deno.test("peers that were started are ended when another one fails", async () => {
  let ended = 0;
  const quick: Peer = {
    name: "hare",
    label: "The hare",
    open: () =>
      Promise.resolve({
        measure: () => Promise.resolve({}),
        [Symbol.asyncDispose]: () => Promise.resolve(void ended++),
      }),
  };
  const failing: Peer = {
    ...quick,
    open: () => Promise.reject(new Error("asleep")),
  };
  await assertRejects(() =>
    takeTurns([quick, failing], 1, 1, {} as Context, () => {})
  );
  assertEquals(ended, 1);
});

Deno.test("a round has as many slices as fit, and one at least", () => {
  const { workload } = result({ hare: [1] });
  const durations = { warmupSeconds: 0, seconds: 1 };
  const slices = (sliceSeconds: number) =>
    countSlices({ ...workload, sliceSeconds }, durations);
  assertEquals([0.25, 0.3, 3, Infinity].map(slices), [4, 3, 1, 1]);
});

Deno.test("a peer that fails is named", async () => {
  const failing = peer("hare", () => Promise.reject(new Error("asleep")));
  const message = await takeTurns([failing], 1, 1, {} as Context, () => {})
    .then(() => "", ({ message }: Error) => message);
  assertEquals(message, "Cannot measure hare");
});

Deno.test("peers that are not here are told apart from those not asked for", () => {
  const hare = peer("hare", () => Promise.resolve({}));
  const candidates = [
    { name: "hare", peer: hare },
    { name: "tortoise", peer: null },
  ];
  assertEquals(choosePeers(candidates, undefined, true), {
    peers: [hare],
    missing: ["tortoise"],
  });
  assertEquals(choosePeers(candidates, ["hare"], true).missing, []);
});

Deno.test("a server that a script starts is measured, not the script", async () => {
  const inner = "echo $$; read line";
  await using child = new Child(["sh", "-c", `sh -c '${inner}'; true`]);
  const started = await child.line();
  assertEquals(String(child.last()), started);
  assert(child.last() !== child.pid);
});
