/**
 * The engine that streams live on: one that all of a thread share, or one that
 * was given.
 *
 * @module
 */

import { MSG_PEEK, MSG_TRUNC, systemCalls } from "../../ffi/mod.ts";
import { Engine } from "../engine.ts";
import type { EngineParts } from "../parts.ts";
import { FAST, type Task, TASK_WORK } from "../work_queue.ts";
import { Attendance } from "./streams_attendance.ts";
import type { Addr } from "./streams_types.ts";

/**
 * What may be done at once in a turn of the engine: a loop of promises that
 * never has to wait would keep everything else of its thread waiting.
 */
const TURN_BYTES = 4 * 1024 * 1024;
/** What an operation counts for, beside its bytes. */
const OPERATION_BYTES = 16 * 1024;

/** Bytes of a chunk of a readable stream, at the most. */
const CHUNK_BYTES_MAX = 256 * 1024;
/** Fewer than these are copied. */
const COPIED_BYTES_MAX = 32 * 1024;
/** Memory of a chunk is a multiple of it. */
const PAGE_BYTES = 4 * 1024;

/** An engine with streams on it. */
export class StreamHost {
  readonly engine: Engine;
  readonly parts: EngineParts;
  readonly attendance: Attendance;
  /** Where few bytes are received. */
  readonly #few = new Uint8Array(COPIED_BYTES_MAX);
  /** Where bytes are received of which nobody knows how many there are. */
  #room: Uint8Array<ArrayBuffer> | null = null;
  /** Where the chunk being read is: there, or memory of its own. */
  #chunk = this.#few;
  #turn = -1;
  #bytesLeft = 0;

  constructor(engine: Engine, attendance: Attendance) {
    this.engine = engine;
    this.parts = engine.parts;
    this.attendance = attendance;
  }

  /**
   * Where a chunk is received from a socket, which `had` so many bytes for the last
   * one. Of TCP, which copies nothing for it, it is asked first how much there is
   * where that were many, so that they have memory of their own, of their size:
   * with room for a byte more, as a read that fills less has taken all.
   */
  chunkFrom(
    fd: number,
    transport: Addr["transport"],
    had: number,
  ): Uint8Array<ArrayBuffer> {
    if (transport === "tcp" && had < COPIED_BYTES_MAX) {
      return this.#chunk = this.#few;
    }
    const room = this.#room ??= new Uint8Array(CHUNK_BYTES_MAX);
    if (transport === "unix") return this.#chunk = room;
    const count = this.parts.calls.recv(fd, room, MSG_PEEK | MSG_TRUNC);
    if (count < COPIED_BYTES_MAX) return this.#chunk = this.#few;
    const bytes = (Math.floor(count / PAGE_BYTES) + 1) * PAGE_BYTES;
    return this.#chunk = new Uint8Array(Math.min(bytes, CHUNK_BYTES_MAX));
  }

  /**
   * The first `count` bytes of it, as the reader's own: a copy where they are few,
   * or less than half of the memory, which is handed on otherwise.
   */
  takeChunk(count: number): Uint8Array<ArrayBuffer> {
    const chunk = this.#chunk;
    this.#chunk = this.#few;
    if (chunk === this.#few || count < chunk.length / 2) {
      return chunk.slice(0, count);
    }
    if (chunk === this.#room) this.#room = null;
    return chunk.subarray(0, count);
  }

  /** Whether an operation may be done at once, and not in a later turn. */
  get hasTime(): boolean {
    const { turns } = this.parts.metrics;
    if (this.#turn !== turns) {
      this.#turn = turns;
      this.#bytesLeft = TURN_BYTES;
    }
    return this.#bytesLeft > 0;
  }

  /** An operation was done at once. */
  spend(bytes: number): void {
    this.#bytesLeft -= OPERATION_BYTES + bytes;
  }
}

let shared: StreamHost | null = null;
const given = new WeakMap<Engine, StreamHost>();

/** The host on an engine, or the one that this thread's streams share. */
export function hostOn(engine: Engine | undefined): StreamHost {
  if (engine === undefined) return shared ??= startShared();
  let host = given.get(engine);
  if (host === undefined) {
    // Nobody asks how it is to wait: it waits as it does.
    host = new StreamHost(engine, new Attendance(() => {}, () => {}));
    given.set(engine, host);
  }
  return host;
}

/** An engine that waits as its streams want it to, and goes when they are gone. */
function startShared(): StreamHost {
  const attendance = new Attendance(
    () => ring(engine.parts),
    () => {
      shared = null;
      engine.close();
    },
  );
  const engine = new Engine({}, {
    ...systemCalls,
    waitReadable: (fd, timeoutMs) => attendance.wait(fd, timeoutMs),
  });
  // Not before there is something open on it. Rejects only if the kernel fails
  // it; nobody could go on then.
  queueMicrotask(() => engine.start());
  return new StreamHost(engine, attendance);
}

/** Ends the engine's wait, so that it thinks again about how to. */
function ring(parts: EngineParts): void {
  const nothing: Task = { source: parts, run: () => 0 };
  parts.queues.push(FAST, nothing, TASK_WORK);
  parts.touched();
}
