/**
 * The ways to watch an engine that its options ask for.
 *
 * @module
 */

import type { EngineOptions } from "../options.ts";
import { Channels } from "./channels.ts";
import type { EngineView } from "./engine_view.ts";
import { Timings } from "./timings.ts";
import { Tracer } from "./tracer.ts";
import type { Watcher } from "./watcher.ts";

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
