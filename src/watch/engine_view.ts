/**
 * What can be seen of an engine.
 *
 * @module
 */

import type { SystemCalls } from "../../ffi/mod.ts";
import { Loop } from "../loop.ts";
import type { EngineMetrics } from "../metrics.ts";
import { engineLimits, type EngineOptions } from "../options.ts";
import { triggerRules } from "../trigger.ts";
import { watchers } from "./watchers.ts";

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
    const watching = watchers(options);
    this.loop = new Loop(calls, rules, limits, options.onError, watching);
    this.fd = this.loop.epfd;
  }

  /** What the engine has counted so far; a live view. */
  get metrics(): EngineMetrics {
    return this.loop.metrics;
  }
}
