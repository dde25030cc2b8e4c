/** The inbox of a soak's server, and the workers that post to it and are ended. */
import { type Engine, type Inbox, Outbox } from "../../mod.ts";
import { Ledger } from "../stress/messages.ts";
import { until } from "../support/within.ts";
import { type PosterOrder, SIZES } from "./reports.ts";

const SENDERS_MAX = 6;
/** Posters at a time; lanes of those that were ended are taken over. */
const POSTERS = 3;
const STREAMS_MAX = 4096;
const MESSAGES_MAX = 20_000;
const NOT_BEGUN = -1;

/** Starts posters and ends them, and knows what must have arrived. */
export class PostPart {
  ended = 0;
  readonly violations: string[] = [];
  readonly #random: (bound: number) => number;
  readonly #inbox: Inbox;
  readonly #ledger = new Ledger(SIZES);
  readonly #posted: Int32Array<SharedArrayBuffer>;
  readonly #workers: { worker: Worker; stream: number }[] = [];
  #streams = 0;

  constructor(engine: Engine, random: (bound: number) => number) {
    this.#random = random;
    const memory = new SharedArrayBuffer(4 * STREAMS_MAX);
    this.#posted = new Int32Array(memory).fill(NOT_BEGUN);
    const { messageMax } = SIZES;
    const limits = { sendersMax: SENDERS_MAX, laneBytes: 16384, messageMax };
    this.#inbox = engine.inbox(limits, (message) => this.#take(message));
  }

  get received(): number {
    return this.#ledger.received;
  }

  /** Whether a poster is loading its modules, for which it needs descriptors. */
  get starting(): boolean {
    return this.#workers.some(({ stream }) =>
      Atomics.load(this.#posted, stream) === NOT_BEGUN
    );
  }

  /** Starts a poster where one is missing, or else ends one. */
  change(): void {
    if (this.starting || this.#streams === STREAMS_MAX) return;
    if (this.#workers.length < POSTERS) this.#start();
    else this.#end(this.#random(POSTERS));
  }

  /**
   * Ends all posters, and waits until their threads are gone: then their lanes
   * can be taken over, with the descriptors that they left open. One that is
   * starting is waited for first: it would come to the end of its task after it
   * is ended, and post when all is to be quiet.
   */
  async stop(): Promise<void> {
    await until(() => !this.starting);
    while (this.#workers.length > 0) this.#end(0);
    const outboxes: Outbox[] = [];
    await until(() => {
      try {
        outboxes.push(new Outbox(this.#inbox.address));
      } catch (error) {
        if (!String(error).includes("sendersMax")) throw error;
      }
      return outboxes.length === SENDERS_MAX;
    });
    for (const outbox of outboxes) outbox.close();
  }

  /** Whatever was sent has arrived, by streams; throws otherwise. */
  check(): void {
    const posted = new Map<number, number>();
    for (let stream = 0; stream < this.#streams; stream++) {
      // Deno ends a worker between two tasks, and not between post and note.
      posted.set(stream, Math.max(0, Atomics.load(this.#posted, stream)));
    }
    this.#ledger.check(posted);
  }

  close(): void {
    this.#inbox.close();
  }

  #start(): void {
    const url = new URL("poster.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const stream = this.#streams++;
    const order: PosterOrder = {
      address: this.#inbox.address,
      stream,
      messages: this.#random(MESSAGES_MAX),
      closes: this.#random(2) === 0,
      posted: this.#posted,
    };
    worker.postMessage(order);
    this.#workers.push({ worker, stream });
  }

  #end(index: number): void {
    const [{ worker }] = this.#workers.splice(index, 1);
    worker.terminate();
    this.ended++;
  }

  #take(message: Uint8Array): void {
    try {
      this.#ledger.take(message);
    } catch (error) {
      this.violations.push(String(error));
    }
  }
}
