/**
 * What can be seen of an engine, and the ways to watch it that its options ask
 * for.
 *
 * @module
 */

import { EBADF, type SystemCalls, SystemError } from "../../ffi/mod.ts";
import { Loop } from "../loop.ts";
import type { EngineMetrics } from "../metrics.ts";
import { engineLimits, type EngineOptions } from "../options.ts";
import { triggerRules } from "../trigger.ts";
import { Channels } from "./channels.ts";
import { EngineInspection } from "./inspection.ts";
import { Timings } from "./timings.ts";
import { Tracer } from "./tracer.ts";
import type { Watcher } from "./watcher.ts";

/** What can be seen of an {@linkcode Engine}, whether or not it is running. */
export abstract class EngineView {
  /** The epoll descriptor. It is readable when the engine has kernel events. */
  readonly fd: number;
  /** @internal */
  protected readonly loop: Loop;

  /** @internal */
  constructor(options: EngineOptions, calls: SystemCalls) {
    const rules = triggerRules(options.trigger ?? "edge");
    const limits = engineLimits(options);
    const watching = watchers(options, this);
    this.loop = new Loop(calls, rules, limits, options.onError, watching);
    this.fd = this.loop.epfd;
  }

  /** @internal The loop, unless the engine is closed. */
  protected open(verb: string): Loop {
    if (this.loop.closed) throw new SystemError(verb, EBADF, { fd: this.fd });
    return this.loop;
  }

  /** What the engine has counted so far; a live view. */
  get metrics(): EngineMetrics {
    return this.loop.metrics;
  }

  /**
   * Looks at each descriptor as the engine sees it and as the kernel does, in
   * /proc/self/fdinfo. As a string it is a table:
   *
   * ```txt
   * Engine on descriptor 9
   * descriptors: 2
   * timers: 1, the next in 99.931 ms
   * inboxes: 0
   * queued: nothing
   * fd  kind     owner     read    write     wanted        kernel
   * 10  socket   Listener  active  inactive  IN|EXCLUSIVE  IN|EXCLUSIVE
   * 11  eventfd  user      active  inactive  IN|RDHUP|ET   IN|RDHUP|ET
   * ```
   *
   * Call it from a handler, or between turns: while `run()` waits, nothing else
   * of this thread runs, and another thread can't see the engine. To look into
   * an engine that is running, let a timer or a signal call it.
   *
   * @example What is registered, on SIGUSR1
   * ```ts ignore
   * import { Engine, withSignalsBlocked } from "@edgewise/epoll";
   *
   * withSignalsBlocked(["SIGUSR1"]);
   * using engine = new Engine();
   * engine.signal("SIGUSR1", () => console.error(`${engine.inspect()}`));
   * engine.run();
   * ```
   *
   * @throws {SystemError} `EBADF` if the engine is closed; what open(2) of
   * /proc/self/fdinfo refuses, such as `ENOENT` where /proc is not mounted.
   */
  inspect(): EngineInspection {
    return new EngineInspection(this.open("inspect"));
  }

  /** What `console.log(engine)` shows, in Deno, Bun and Node.js. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const { closed, queues, registry, timers } = this.loop;
    if (closed) return `Engine { fd: ${this.fd}, closed: true }`;
    return `Engine { fd: ${this.fd}, descriptors: ${registry.size}, timers: ${timers.count}, queued: ${queues.length} }`;
  }
}

/** None where nothing is asked for. */
export function watchers(
  options: EngineOptions,
  engine: EngineView,
): Watcher[] {
  const { timings = false, channels = false, trace = false } = options;
  const watchers: Watcher[] = [];
  // First, so that it does not time the others.
  if (timings) watchers.push(new Timings());
  if (channels) watchers.push(new Channels(engine));
  if (trace === true) {
    watchers.push(new Tracer((entry) => console.error(`${entry}`)));
  } else if (trace !== false) watchers.push(new Tracer(trace));
  return watchers;
}
