/** Tells of each step of an engine. @module */

import type { SystemCalls } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import type { Loop } from "../loop.ts";
import type { Registry } from "../registry.ts";
import type { Timer } from "../timers.ts";
import {
  ERROR_WORK,
  READ_WORK,
  type Task,
  TIMER_WORK,
  type Work,
  WRITE_WORK,
} from "../work_queue.ts";
import { callText, maskText, reportedEvents } from "./call_text.ts";
import { intercept, ownerOf, type Watcher } from "./watcher.ts";

/**
 * What a {@linkcode TraceEntry} is about.
 *
 * - `"verb"`: a verb of an event or a timer was used.
 * - `"commit"`: changes were applied.
 * - `"call"`: a system call was made.
 * - `"event"`: the kernel reported an event.
 * - `"stale"`: an event or a queued handler was dropped, as its descriptor was
 *   closed, or its direction disabled, in the meantime.
 * - `"begin"`, `"end"`, `"throw"`: a handler began, returned, or threw.
 */
export type TraceKind =
  | "verb"
  | "commit"
  | "call"
  | "event"
  | "stale"
  | "begin"
  | "end"
  | "throw";

/** One step of an engine that was made with `trace`. As a string it is a line. */
export interface TraceEntry {
  /** What it is about. */
  readonly kind: TraceKind;
  /** Milliseconds since the engine was made, with a fraction. */
  readonly timeMs: number;
  /** How many handlers it happened within. */
  readonly depth: number;
  /** The verb's, the system call's or the handler's name. */
  readonly name: string;
  /** The descriptor concerned; null where there is none. */
  readonly fd: number | null;
  /** The step, in the form of strace(1). */
  readonly text: string;
  /** What a handler threw, for `"throw"`. */
  readonly error?: unknown;
  /** The line: time in seconds, and the step, indented by its depth. */
  toString(): string;
}

/** What an entry is made of. */
type TraceStep = Omit<TraceEntry, "toString">;

/** An entry that prints as its line. */
function traceEntry(step: TraceStep): TraceEntry {
  const { timeMs, depth, text } = step;
  const seconds = (timeMs / 1000).toFixed(6);
  return { ...step, toString: () => `${seconds} ${"  ".repeat(depth)}${text}` };
}

const VERBS = [
  "enable",
  "disable",
  "delete",
  "enableRead",
  "enableWrite",
  "disableRead",
  "disableWrite",
  "blockRead",
  "blockWrite",
  "oneshotRead",
  "oneshotWrite",
  "enableAccept",
  "close",
] as const satisfies readonly (keyof FdEvent)[];

const HANDLERS = new Map([
  [READ_WORK, "read"],
  [WRITE_WORK, "write"],
  [ERROR_WORK, "error"],
]);

/** Tells `tell` of each step. */
export class Tracer implements Watcher {
  readonly #tell: (entry: TraceEntry) => void;
  readonly #timerNumbers = new WeakMap<Timer, number>();
  #timers = 0;
  #now: () => number = () => 0;
  #beganMs = 0;
  #depth = 0;
  #telling = false;
  #registry: Registry | null = null;

  constructor(tell: (entry: TraceEntry) => void) {
    this.#tell = tell;
  }

  calls(calls: SystemCalls): SystemCalls {
    this.#now = () => calls.now();
    this.#beganMs = calls.now();
    const traced: Record<string, unknown> = { ...calls };
    for (const [name, value] of Object.entries(traced)) {
      if (name === "now" || typeof value !== "function") continue;
      traced[name] = (...values: unknown[]) => {
        const result: unknown = Reflect.apply(value, calls, values);
        this.#called(name, values, result);
        return result;
      };
    }
    return traced as unknown as SystemCalls;
  }

  attach({ changes, dispatcher, registry, timers }: Loop): void {
    this.#registry = registry;
    intercept(registry, "add", (add) => (event) => {
      add(event);
      for (const verb of VERBS) this.#traceVerb(event, verb);
    });
    intercept(changes, "commit", (commit) => () => {
      const calls = commit();
      if (calls > 0) {
        this.#told("commit", "commit", null, `commit() = ${calls}`);
      }
      return calls;
    });
    intercept(timers, "set", (set) => (timer, wasSet) => {
      this.#timerSet(timer);
      set(timer, wasSet);
    });
    intercept(dispatcher, "runOne", (runOne) => (work, kind) => {
      const name = HANDLERS.get(kind) ??
        (kind === TIMER_WORK ? "timer" : "task");
      const text = this.#handlerText(name, work, kind);
      const fd = HANDLERS.has(kind) ? (work as FdEvent).fd : null;
      if (isStale(work, kind)) this.#told("stale", name, fd, `${text} dropped`);
      else return this.#run(() => runOne(work, kind), name, fd, text);
      return runOne(work, kind);
    });
  }

  #run(
    run: () => number,
    name: string,
    fd: number | null,
    text: string,
  ): number {
    this.#told("begin", name, fd, `${text} begins`);
    const beganMs = this.#now();
    this.#depth++;
    try {
      const ran = run();
      this.#depth--;
      const tookMs = (this.#now() - beganMs).toFixed(3);
      this.#told("end", name, fd, `${text} took ${tookMs} ms`);
      return ran;
    } catch (error) {
      this.#depth--;
      this.#told("throw", name, fd, `${text} threw ${error}`, error);
      throw error;
    }
  }

  #traceVerb(event: FdEvent, verb: typeof VERBS[number]): void {
    intercept(event, verb, (inner) => () => {
      this.#told("verb", verb, event.fd, `${verb}(${event.fd})`);
      inner();
    });
  }

  #timerSet(timer: Timer): void {
    const dueMs = (timer.deadlineMs - this.#now()).toFixed(3);
    const text = `${this.#timerText(timer)} set, due in ${dueMs} ms`;
    this.#told("verb", "set", null, text);
  }

  #timerText(timer: Timer): string {
    let number = this.#timerNumbers.get(timer);
    if (number === undefined) {
      number = ++this.#timers;
      this.#timerNumbers.set(timer, number);
      intercept(timer, "cancel", (cancel) => () => {
        const text = `${this.#timerText(timer)} cancelled`;
        if (timer.active) this.#told("verb", "cancel", null, text);
        cancel();
      });
    }
    return `timer ${number}`;
  }

  #handlerText(name: string, work: Work, kind: number): string {
    if (HANDLERS.has(kind)) {
      const event = work as FdEvent;
      return `${name} handler of ${event.fd} (${ownerOf(event)})`;
    }
    if (kind !== TIMER_WORK) {
      return `task of ${className((work as Task).source)}`;
    }
    const lateMs = (this.#now() - (work as Timer).passedMs).toFixed(3);
    return `${this.#timerText(work as Timer)}, ${lateMs} ms late,`;
  }

  #called(name: string, values: readonly unknown[], result: unknown): void {
    const fd = typeof values[0] === "number" ? values[0] : null;
    this.#told("call", name, fd, callText(name, values, result));
    if (name !== "epoll_wait" && name !== "epoll_pwait2") return;
    if (typeof result !== "number" || result <= 0) return;
    const events = reportedEvents(values[1] as Int32Array, result);
    for (let index = 0; index < result; index++) {
      const slot = events.slot(index);
      const event = this.#registry?.find(slot, events.generation(index));
      const mask = maskText(events.mask(index));
      if (event) {
        this.#told("event", mask, event.fd, `event ${event.fd}: ${mask}`);
      } else this.#told("stale", mask, null, `event for nobody: ${mask}`);
    }
  }

  /** What `tell` itself does with the engine is not told. */
  #told(
    kind: TraceKind,
    name: string,
    fd: number | null,
    text: string,
    error?: unknown,
  ): void {
    if (this.#telling) return;
    const timeMs = this.#now() - this.#beganMs;
    const step = { kind, timeMs, depth: this.#depth, name, fd, text };
    this.#telling = true;
    try {
      this.#tell(traceEntry(error === undefined ? step : { ...step, error }));
    } catch (error) {
      // As node:diagnostics_channel does: the engine must not fail of being watched.
      queueMicrotask(() => {
        throw error;
      });
    } finally {
      this.#telling = false;
    }
  }
}

function isStale(work: Work, kind: number): boolean {
  if (kind === TIMER_WORK) return !(work as Timer).due;
  return HANDLERS.has(kind) && ((work as FdEvent).due & kind) === 0;
}

function className(source: object): string {
  return source.constructor.name;
}
