/**
 * What an engine did since the last look at it.
 */
import { type Engine, type EngineMetrics, Histogram } from "../../mod.ts";

/** Descriptors that a report tells of, at the most. */
const DESCRIPTORS_MAX = 100;

/** The counters that a report tells by the second. */
const RATES = [
  "turns",
  "events",
  "changesMade",
  "changesSaved",
  "posts",
  "wakeups",
] as const satisfies readonly (keyof EngineMetrics)[];

/** What has been counted at one moment. */
class Look {
  readonly timeMs = performance.now();
  readonly counters: number[];
  readonly handlersMs: number;
  readonly latency: Histogram;
  readonly handler: Histogram;
  readonly timerLateness: Histogram;

  constructor({ metrics }: Engine) {
    const { timings } = metrics;
    this.counters = RATES.map((name) => metrics[name]);
    this.handlersMs = timings?.handlersMs ?? 0;
    this.latency = timings?.latency.copy() ?? new Histogram();
    this.handler = timings?.handler.copy() ?? new Histogram();
    this.timerLateness = timings?.timerLateness.copy() ?? new Histogram();
  }
}

/** Reports on an engine that was made with `timings`. */
export class Reports {
  readonly #engine: Engine;
  #before: Look;
  /** The most that each queue was seen to hold since the last report. */
  #queues: Record<string, number> = {};

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#before = new Look(engine);
  }

  /** Looks at the queues, which come and go within a turn. */
  noteQueues(): void {
    for (const [name, depth] of Object.entries(this.#engine.metrics.queues)) {
      this.#queues[name] = Math.max(this.#queues[name] ?? 0, depth);
    }
  }

  /** What was done since the last report, as JSON. */
  next(): string {
    const before = this.#before;
    const now = this.#before = new Look(this.#engine);
    const { metrics } = this.#engine;
    const elapsedMs = now.timeMs - before.timeMs;
    const latency = now.latency.since(before.latency);
    const rates = RATES.map((name, index) => {
      const counted = now.counters[index] - before.counters[index];
      return [name, counted * 1000 / elapsedMs];
    });
    this.noteQueues();
    const queues = this.#queues;
    this.#queues = {};
    const { descriptors } = this.#engine.inspect();
    return JSON.stringify({
      ...Object.fromEntries(rates),
      engine: `engine on descriptor ${this.#engine.fd}`,
      staleEvents: metrics.staleEvents,
      busy: 100 * (now.handlersMs - before.handlersMs) / elapsedMs,
      p50: 1000 * latency.percentileMs(50),
      p99: 1000 * latency.percentileMs(99),
      handlerP99: p99Micros(now.handler.since(before.handler)),
      latenessP99: p99Micros(now.timerLateness.since(before.timerLateness)),
      queues,
      descriptorCount: descriptors.length,
      descriptors: descriptors.slice(0, DESCRIPTORS_MAX).map((each) => ({
        ...each,
        kernelMask: each.kernelMask?.join("|").replaceAll("EPOLL", "") ?? "",
      })),
    });
  }
}

function p99Micros(histogram: Histogram): number {
  return 1000 * histogram.percentileMs(99);
}
