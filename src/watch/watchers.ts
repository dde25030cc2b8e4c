/**
 * The ways to watch an engine that its options ask for.
 *
 * @module
 */

import type { EngineOptions } from "../options.ts";
import { Timings } from "./timings.ts";
import type { Watcher } from "./watcher.ts";

/** None where nothing is asked for. */
export function watchers(options: EngineOptions): Watcher[] {
  const watchers: Watcher[] = [];
  if (options.timings === true) watchers.push(new Timings());
  return watchers;
}
