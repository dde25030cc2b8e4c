/** An open file description: what descriptors refer to, and epoll watches. */
import { EAGAIN, EINVAL } from "../../ffi/errno_codes.ts";
import type { Bytes } from "../../ffi/system_calls.ts";

/** An entry of an epoll set, as the file that it watches sees it. */
export interface Watcher {
  /** Exclusive entries stand behind all others. */
  readonly exclusive: boolean;
  /** Something happened that concerns the bits of `key`, or everybody if it is 0. */
  wake(key: number): void;
  /** The last descriptor of the file was closed. */
  gone(): void;
}

/** The key that concerns everybody. */
export const EVERYBODY = 0;

/** What a program did would never end, or what it asked for is not simulated. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
}

/** A file that is open, under one number or several. */
export abstract class OpenFile {
  /** Descriptors, and messages on their way, that refer to it. */
  references = 0;
  nonblocking: boolean;
  readonly #watchers: Watcher[] = [];

  constructor(nonblocking: boolean) {
    this.nonblocking = nonblocking;
  }

  /** The bits of poll(2) that hold now. */
  abstract poll(): number;

  /** Whether epoll takes it. */
  get pollable(): boolean {
    return true;
  }

  read(_buffer: Bytes): number {
    return -EINVAL;
  }

  write(_bytes: Bytes): number {
    return -EINVAL;
  }

  /** The last reference is gone. */
  release(): void {}

  /** The kernel puts new entries in front, so that the last one is told first. */
  watch(watcher: Watcher): void {
    if (watcher.exclusive) this.#watchers.push(watcher);
    else this.#watchers.unshift(watcher);
  }

  unwatch(watcher: Watcher): void {
    const index = this.#watchers.indexOf(watcher);
    if (index >= 0) this.#watchers.splice(index, 1);
  }

  get watchers(): readonly Watcher[] {
    return this.#watchers;
  }

  /** Tells all that watch. */
  wake(key: number): void {
    for (let index = 0; index < this.#watchers.length; index++) {
      this.#watchers[index].wake(key);
    }
  }

  /** One reference fewer. */
  drop(): void {
    if (--this.references > 0) return;
    for (const watcher of this.#watchers.splice(0)) watcher.gone();
    this.release();
  }

  /** The result of a call that can't go on now. Nobody else could end its wait. */
  wouldBlock(nonblocking = this.nonblocking): number {
    if (nonblocking) return -EAGAIN;
    throw new SimulationError("A blocking call would never return");
  }
}

/** A file that is always ready and holds nothing, /dev/null, which epoll refuses. */
export class NullFile extends OpenFile {
  override get pollable(): boolean {
    return false;
  }

  override poll(): number {
    return 0;
  }

  override read(): number {
    return 0;
  }

  override write(bytes: Bytes): number {
    return bytes.length;
  }
}
