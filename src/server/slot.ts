/**
 * One worker's place in a server: the worker that serves now, those that drain,
 * and another one when it dies.
 *
 * @module
 */

import { EngineWorker } from "../engine_worker.ts";
import type { InboxAddress } from "../mailbox.ts";
import { Outbox } from "../outbox.ts";
import { drainOrder, type WorkerTask } from "./orders.ts";

/** How long after a worker's death another one is started, the first time. */
const RESTART_MS = 100;
/** Each time that it dies soon again the delay doubles, up to this. */
const RESTART_MAX_MS = 10_000;
/** A worker that served for so long did not die soon. */
const SOON_MS = 10_000;
/** What a worker that is starting has left at the least when its server stops. */
const SETUP_MS = 2_000;
/** How long after a worker had no room for an order it is tried again. */
const ORDER_RETRY_MS = 10;
/** The longest delay that setTimeout takes; it takes more for none. */
const DELAY_MAX_MS = 0x7fffffff;

/** A worker of a slot, from its start to its end. */
interface Member {
  readonly worker: EngineWorker;
  readonly beganMs: number;
  /** Where it takes orders and connections; null until it serves. */
  outbox: Outbox | null;
  /** It has been told to go: its end is no death. */
  leaving: boolean;
}

/** What is under way once new workers have taken over, or none are to come. */
export interface Draining {
  /** Fulfilled when the workers that drain have ended, however that came. */
  readonly drained: Promise<void>;
}

/** What a slot tells its server. */
export interface SlotHandlers {
  /** A new worker takes connections. */
  serves(): void;
  /** A worker has died of an error; another one follows. */
  died(error: unknown): void;
}

/** Keeps one worker serving. */
export class Slot {
  /** Workers that were started because another one had died. */
  restarts = 0;

  readonly #module: URL | string;
  readonly #task: WorkerTask;
  readonly #told: SlotHandlers;
  readonly #members: Set<Member> = new Set();
  #serving: Member | null = null;
  #replacing: Promise<unknown> = Promise.resolve();
  #restart: ReturnType<typeof setTimeout> | undefined;
  #restartMs = RESTART_MS;
  #closed = false;

  constructor(module: URL | string, task: WorkerTask, told: SlotHandlers) {
    this.#module = module;
    this.#task = task;
    this.#told = told;
  }

  /**
   * Starts a worker, and has the one before drain as soon as the new one serves.
   * Rejects if the new one fails; the one before goes on then.
   */
  replace(drainTimeoutMs: number): Promise<Draining> {
    const replaced = this.#replacing.then(() => this.#replace(drainTimeoutMs));
    this.#replacing = replaced.catch(() => {});
    return replaced;
  }

  /** Gives a connection to the worker. False: there is none, or it is flooded. */
  give(fd: number): boolean {
    return this.#serving?.outbox?.give(fd) === "sent";
  }

  /**
   * Has all workers drain, and starts no more. One that is starting is awaited
   * for the same time, or `SETUP_MS`, and then ended.
   */
  async close(drainTimeoutMs: number): Promise<Draining> {
    this.#closed = true;
    clearTimeout(this.#restart);
    const endMs = performance.now() + drainTimeoutMs;
    const serving = [...this.#members].filter(({ outbox }) => outbox !== null);
    const drains = serving.map((each) => this.#drain(each, drainTimeoutMs));
    await this.#started(Math.max(drainTimeoutMs, SETUP_MS));
    const leftMs = Math.max(0, endMs - performance.now());
    for (const member of this.#members) {
      if (!serving.includes(member)) drains.push(this.#drain(member, leftMs));
    }
    return { drained: Promise.all(drains).then(() => {}) };
  }

  /** Waits for the worker that is starting, if there is one, for so long. */
  async #started(timeoutMs: number): Promise<void> {
    const late = timeoutMs === Infinity
      ? undefined
      : setTimeout(() => this.#giveUp(), Math.min(timeoutMs, DELAY_MAX_MS));
    await this.#replacing;
    clearTimeout(late);
  }

  /** Ends the worker that is starting, if there is one. */
  #giveUp(): void {
    for (const { worker, outbox } of this.#members) {
      if (outbox === null) worker.giveUp();
    }
  }

  async #replace(drainTimeoutMs: number): Promise<Draining> {
    if (this.#closed) {
      throw new Error("Cannot start a worker: the server stops");
    }
    const member = await this.#start();
    const before = this.#serving;
    this.#serving = member;
    this.#told.serves();
    return {
      drained: before === null
        ? Promise.resolve()
        : this.#drain(before, drainTimeoutMs),
    };
  }

  async #start(): Promise<Member> {
    const name = `worker ${this.#task.index}`;
    const worker = new EngineWorker(this.#module, { data: this.#task, name });
    const beganMs = performance.now();
    const member: Member = { worker, beganMs, outbox: null, leaving: false };
    this.#members.add(member);
    this.#watch(member);
    const address = await worker.ready as InboxAddress;
    try {
      member.outbox = new Outbox(address);
    } catch (error) {
      // It takes connections, and no orders.
      this.#drain(member, 0);
      throw error;
    }
    return member;
  }

  async #watch(member: Member): Promise<void> {
    let error: unknown = new Error("A worker has stopped by itself");
    try {
      await member.worker.finished;
    } catch (thrown) {
      error = thrown;
    }
    member.outbox?.close();
    this.#members.delete(member);
    const died = this.#serving === member && !member.leaving;
    if (this.#serving === member) this.#serving = null;
    if (!died) return;
    this.#told.died(error);
    const soon = performance.now() - member.beganMs < SOON_MS;
    if (!soon) this.#restartMs = RESTART_MS;
    this.#restartLater();
  }

  #restartLater(): void {
    if (this.#closed) return;
    clearTimeout(this.#restart);
    this.#restart = setTimeout(() => {
      this.#replacing = this.#replacing.then(() => this.#restartNow());
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MAX_MS);
  }

  async #restartNow(): Promise<void> {
    // A reload may have brought one meanwhile.
    if (this.#closed || this.#serving !== null) return;
    this.restarts++;
    try {
      await this.#replace(0);
    } catch (error) {
      if (this.#closed) return;
      this.#told.died(error);
      this.#restartLater();
    }
  }

  /** Fulfilled at its end, however that comes. */
  async #drain(member: Member, timeoutMs: number): Promise<void> {
    member.leaving = true;
    try {
      if (await this.#order(member, timeoutMs)) await member.worker.finished;
      else await member.worker.stop();
    } catch (error) {
      this.#told.died(error);
    }
  }

  /** Whether the worker was sent the order in its time: a flood may fill its lane. */
  async #order(member: Member, timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs;
    let leftMs = timeoutMs;
    while (this.#members.has(member) && member.outbox !== null) {
      const result = member.outbox.post(drainOrder(leftMs));
      if (result !== "full" || leftMs === 0) return result === "sent";
      const delayMs = Math.min(ORDER_RETRY_MS, leftMs);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      leftMs = Math.max(0, endMs - performance.now());
    }
    return false;
  }
}
