/**
 * The receiving side of a mailbox: its lanes, served in turn, and its sleep.
 *
 * @module
 */

import { type LaneReader, MessageBuffer, NO_DESCRIPTOR } from "./lane.ts";
import type { Mailbox } from "./mailbox.ts";
import { Sleeper } from "./wakeup.ts";

/** Messages taken from one lane before it is the next one's turn. */
const LANE_SHARE = 16;
/** Messages taken in one go, so that the engine's other work goes on. */
const TOTAL_SHARE = 512;
/** The time after which no other lane has its turn in one go. */
const SHARE_MS = 0.5;

/** Called with a message, and the descriptor that came with it or `NO_DESCRIPTOR`. */
export type MessageHandler = (message: Uint8Array, descriptor: number) => void;

/** Takes messages out of a mailbox. One for each mailbox. */
export class Receiver {
  readonly lanes: LaneReader[] = [];
  readonly sleeper: Sleeper;
  readonly buffer: MessageBuffer;
  /** The lane that is served next. */
  nextLane = 0;
  closed = false;

  readonly #mailbox: Mailbox;
  readonly #now: () => number;
  readonly #laneShare: number;
  readonly #totalShare: number;

  /** `now` is a clock in milliseconds; the shares are given by tests only. */
  constructor(
    mailbox: Mailbox,
    now: () => number,
    laneShare: number = LANE_SHARE,
    totalShare: number = TOTAL_SHARE,
  ) {
    for (let lane = 0; lane < mailbox.lanes; lane++) {
      this.lanes.push(mailbox.reader(lane));
    }
    this.sleeper = new Sleeper(mailbox.state);
    this.buffer = new MessageBuffer(mailbox.messageMax);
    this.#mailbox = mailbox;
    this.#now = now;
    this.#laneShare = laneShare;
    this.#totalShare = totalShare;
  }

  /**
   * Unless there is work already, senders wake the receiver from here on.
   * Whether there is.
   */
  sleep(): boolean {
    // A sender that found the receiver asleep for a moment would make a system call.
    if (this.#hasWork()) return true;
    this.sleeper.sleep();
    return this.#hasWork();
  }

  /** From here on senders need not. Whether there is work. */
  wake(): boolean {
    this.sleeper.wake();
    return this.#hasWork();
  }

  /**
   * Hands over a bounded share of what there is. Returns how many messages; one
   * whose handler throws is not handed over again.
   */
  deliver(handler: MessageHandler): number {
    const lanesOwned = this.#mailbox.lanesOwned;
    let endMs = 0;
    let count = 0;
    // A few messages are delivered without a look at the clock.
    let nextLook = this.#laneShare;
    let emptyInTurn = 0;
    while (emptyInTurn < lanesOwned && count < this.#totalShare) {
      const lane = this.lanes[this.nextLane];
      this.nextLane = (this.nextLane + 1) % lanesOwned;
      const share = Math.min(this.#laneShare, this.#totalShare - count);
      const taken = this.#deliverFrom(lane, share, handler);
      count += taken;
      emptyInTurn = taken === 0 ? emptyInTurn + 1 : 0;
      if (count < nextLook) continue;
      nextLook = count + this.#laneShare;
      const nowMs = this.#now();
      if (endMs === 0) endMs = nowMs + SHARE_MS;
      else if (nowMs >= endMs) break;
    }
    return count;
  }

  /**
   * Tells the senders, and ends their waits for room. Delivers nothing from here
   * on: descriptors that are on their way go to `discard`, once each, and those
   * that the senders have of the eventfd.
   */
  close(discard: (descriptor: number) => void): void {
    this.closed = true;
    // Said first: a sender whose message meets the seal asks why.
    this.sleeper.close();
    for (const [index, lane] of this.lanes.entries()) {
      lane.seal(discard);
      lane.wake();
      const fd = this.#mailbox.descriptor(index).take();
      if (fd !== NO_DESCRIPTOR) discard(fd);
    }
  }

  #deliverFrom(
    lane: LaneReader,
    share: number,
    handler: MessageHandler,
  ): number {
    let count = 0;
    while (count < share && !this.closed) {
      const message = lane.take(this.buffer);
      if (message === null) break;
      count++;
      handler(message, lane.descriptor);
    }
    return count;
  }

  #hasWork(): boolean {
    const lanesOwned = this.#mailbox.lanesOwned;
    for (let lane = 0; lane < lanesOwned; lane++) {
      if (!this.lanes[lane].isEmpty()) return true;
    }
    return this.#mailbox.hasRequest();
  }
}
