/**
 * What an engine made with `channels` tells those who subscribe through
 * node:diagnostics_channel.
 *
 * @module
 */

import { builtin, type SystemCalls } from "../../ffi/mod.ts";
import type { Loop } from "../loop.ts";
import type { EngineView } from "./engine_view.ts";
import { intercept, ownerOf, type Watcher } from "./watcher.ts";

/** What is published to the channel `"edgewise:engine"`. */
export interface EngineMessage {
  /** The engine. */
  readonly engine: EngineView;
  /**
   * `"running"` when `run()` or `start()` begins, `"stopped"` when it ends, and
   * `"closed"`.
   */
  readonly state: "running" | "stopped" | "closed";
}

/** What is published to the channel `"edgewise:descriptor"`. */
export interface DescriptorMessage {
  /** The engine. */
  readonly engine: EngineView;
  /** The descriptor's number. */
  readonly fd: number;
  /** As in {@linkcode InspectedDescriptor}. */
  readonly owner: string;
  /** Whether it was taken into the engine, or has left it. */
  readonly state: "registered" | "gone";
}

/** What is published to the channel `"edgewise:error"`, before `onError` is called. */
export interface ErrorMessage {
  /** The engine. */
  readonly engine: EngineView;
  /** What a handler threw, or a failed change of a descriptor without an error handler. */
  readonly error: unknown;
}

/** Publishes what happens to one engine. */
export class Channels implements Watcher {
  readonly #engine: EngineView;

  constructor(engine: EngineView) {
    this.#engine = engine;
  }

  calls(calls: SystemCalls): SystemCalls {
    return calls;
  }

  attach(loop: Loop): void {
    this.#publishStates(loop);
    this.#publishDescriptors(loop);
    this.#publishErrors(loop);
  }

  #publishStates(loop: Loop): void {
    const engine = this.#engine;
    const publish = channel<EngineMessage>("edgewise:engine");
    intercept(loop, "run", (run) => () => {
      publish(() => ({ engine, state: "running" }));
      try {
        run();
      } finally {
        publish(() => ({ engine, state: "stopped" }));
      }
    });
    intercept(loop, "start", (start) => async () => {
      publish(() => ({ engine, state: "running" }));
      try {
        await start();
      } finally {
        publish(() => ({ engine, state: "stopped" }));
      }
    });
    intercept(loop, "close", (close) => () => {
      try {
        close();
      } finally {
        publish(() => ({ engine, state: "closed" }));
      }
    });
  }

  #publishDescriptors({ registry }: Loop): void {
    const engine = this.#engine;
    const publish = channel<DescriptorMessage>("edgewise:descriptor");
    intercept(registry, "add", (add) => (event) => {
      add(event);
      const { fd } = event;
      publish(() => ({
        engine,
        fd,
        owner: ownerOf(event),
        state: "registered",
      }));
    });
    intercept(registry, "remove", (remove) => (event) => {
      remove(event);
      const { fd } = event;
      publish(() => ({ engine, fd, owner: ownerOf(event), state: "gone" }));
    });
  }

  #publishErrors(loop: Loop): void {
    const engine = this.#engine;
    const publish = channel<ErrorMessage>("edgewise:error");
    intercept(loop.dispatcher, "runOne", (runOne) => (work, kind) => {
      try {
        return runOne(work, kind);
      } catch (error) {
        publish(() => ({ engine, error }));
        throw error;
      }
    });
    intercept(loop, "report", (report) => (error, source) => {
      publish(() => ({ engine, error }));
      report(error, source);
    });
  }
}

/** What publishes to a channel. Nothing is made where nobody subscribes. */
function channel<Message>(name: string): (message: () => Message) => void {
  const channel = builtin("node:diagnostics_channel").channel(name);
  return (message) => {
    if (channel.hasSubscribers) channel.publish(message());
  };
}
