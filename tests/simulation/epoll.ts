/** epoll(7): entries that files wake, and the list of those that may be ready. */
import { EEXIST, EINVAL, ELOOP, ENOENT } from "../../ffi/errno_codes.ts";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDNORM,
  EPOLLWAKEUP,
} from "../../ffi/constants.ts";
import { epoll_event } from "../../ffi/layout.ts";
import type { EventWords } from "../../ffi/system_calls.ts";
import { OpenFile, type Watcher } from "./open_file.ts";

/** Bits that say how, not what. A spent one-shot has no others. */
const HOW = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
/** What is reported whether it is asked for or not. */
const ALWAYS = EPOLLERR | EPOLLHUP;
/** All that may go with EPOLLEXCLUSIVE. */
const EXCLUSIVE_MAY = EPOLLIN | EPOLLOUT | ALWAYS | EPOLLWAKEUP | EPOLLET |
  EPOLLEXCLUSIVE;
/** How deep sets may be nested in sets. */
const DEPTH_MAX = 4;
const STRIDE = epoll_event.size >> 2;
const MASK = epoll_event.events >> 2;
const DATA = epoll_event.data >> 2;

/** A watched file under one of its numbers. */
class Entry implements Watcher {
  readonly set: Epoll;
  readonly file: OpenFile;
  readonly fd: number;
  mask = 0;
  slot = 0;
  generation = 0;

  constructor(set: Epoll, file: OpenFile, fd: number) {
    this.set = set;
    this.file = file;
    this.fd = fd;
  }

  get exclusive(): boolean {
    return (this.mask & EPOLLEXCLUSIVE) !== 0;
  }

  /** What it would report now. */
  get bits(): number {
    return this.file.poll() & this.mask;
  }

  take(words: EventWords): void {
    this.mask = words[MASK] | ALWAYS;
    this.slot = words[DATA];
    this.generation = words[DATA + 1];
  }

  wake(key: number): void {
    if ((this.mask & ~HOW) === 0) return;
    if (key !== 0 && (key & this.mask) === 0) return;
    this.set.mayBeReady(this);
  }

  gone(): void {
    this.set.forget(this);
  }
}

/** An epoll set. */
export class Epoll extends OpenFile {
  /** By file, then by the number that it had when it was added. */
  readonly #entries = new Map<OpenFile, Map<number, Entry>>();
  /** In the order in which they are looked at. */
  #ready = new Set<Entry>();

  constructor() {
    super(false);
  }

  /** Looks at entries until one is ready; those that are not leave the list. */
  override poll(): number {
    for (const entry of this.#ready) {
      if (entry.bits !== 0) return EPOLLIN | EPOLLRDNORM;
      this.#ready.delete(entry);
    }
    return 0;
  }

  override release(): void {
    for (const numbers of this.#entries.values()) {
      for (const entry of numbers.values()) entry.file.unwatch(entry);
    }
    this.#entries.clear();
    this.#ready.clear();
  }

  control(
    operation: number,
    file: OpenFile,
    fd: number,
    words: EventWords | null,
  ): number {
    if (file === this) return -EINVAL;
    const mask = words === null ? 0 : words[MASK];
    if (operation !== EPOLL_CTL_DEL && (mask & EPOLLEXCLUSIVE) !== 0) {
      if (operation === EPOLL_CTL_MOD || file instanceof Epoll) return -EINVAL;
      if ((mask & ~EXCLUSIVE_MAY) !== 0) return -EINVAL;
    }
    const adds = operation === EPOLL_CTL_ADD;
    if (adds && file instanceof Epoll && this.#loops(file)) return -ELOOP;
    const entry = this.#entries.get(file)?.get(fd);
    switch (operation) {
      case EPOLL_CTL_ADD:
        return entry === undefined ? this.#add(file, fd, words) : -EEXIST;
      case EPOLL_CTL_DEL:
        if (entry === undefined) return -ENOENT;
        file.unwatch(entry);
        this.forget(entry);
        return 0;
      case EPOLL_CTL_MOD:
        return entry === undefined ? -ENOENT : this.#modify(entry, words);
      default:
        return -EINVAL;
    }
  }

  /** Whether a wait would not have to wait. */
  get available(): boolean {
    return this.#ready.size > 0;
  }

  /** Fills `words` with up to `eventsMax` events; returns how many. */
  take(words: EventWords, eventsMax: number): number {
    const scanned = [...this.#ready];
    this.#ready = new Set();
    const again: Entry[] = [];
    let count = 0;
    let index = 0;
    for (; index < scanned.length && count < eventsMax; index++) {
      const entry = scanned[index];
      const { bits } = entry;
      if (bits === 0) continue;
      const at = count++ * STRIDE;
      words[at + MASK] = bits;
      words[at + DATA] = entry.slot;
      words[at + DATA + 1] = entry.generation;
      if ((entry.mask & EPOLLONESHOT) !== 0) entry.mask &= HOW;
      else if ((entry.mask & EPOLLET) === 0) again.push(entry);
    }
    // What had no turn stands in front, what is level-triggered at the end.
    this.#ready = new Set([...scanned.slice(index), ...again]);
    return count;
  }

  /** Puts an entry at the end of the list, where it is not on it. */
  mayBeReady(entry: Entry): void {
    this.#ready.add(entry);
    this.wake(EPOLLIN);
  }

  /** Takes an entry out. */
  forget(entry: Entry): void {
    this.#ready.delete(entry);
    const numbers = this.#entries.get(entry.file);
    numbers?.delete(entry.fd);
    if (numbers?.size === 0) this.#entries.delete(entry.file);
  }

  #add(file: OpenFile, fd: number, words: EventWords | null): number {
    const entry = new Entry(this, file, fd);
    if (words !== null) entry.take(words);
    const numbers = this.#entries.get(file) ?? new Map<number, Entry>();
    this.#entries.set(file, numbers.set(fd, entry));
    file.watch(entry);
    if (entry.bits !== 0) this.mayBeReady(entry);
    return 0;
  }

  #modify(entry: Entry, words: EventWords | null): number {
    if (entry.exclusive) return -EINVAL;
    if (words !== null) entry.take(words);
    const linked = this.#ready.has(entry);
    if (entry.bits !== 0 && !linked) this.mayBeReady(entry);
    return 0;
  }

  /** Whether this set is in `set`, or the nesting would be too deep. */
  #loops(set: Epoll): boolean {
    if (set.#contains(this)) return true;
    return this.#depthAbove() + 1 + set.#depthBelow() > DEPTH_MAX;
  }

  #contains(other: Epoll): boolean {
    return this.#nested().some((set) => set === other || set.#contains(other));
  }

  #nested(): Epoll[] {
    return [...this.#entries.keys()].filter((file) => file instanceof Epoll);
  }

  #depthBelow(): number {
    return Math.max(0, ...this.#nested().map((set) => 1 + set.#depthBelow()));
  }

  #depthAbove(): number {
    const above = this.watchers.filter((watcher) => watcher instanceof Entry);
    return Math.max(0, ...above.map(({ set }) => 1 + set.#depthAbove()));
  }
}
