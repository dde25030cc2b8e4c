/**
 * A mailbox with modelled threads and a modelled kernel: senders that use
 * `Outbox`, and a receiver that does what an engine does with `Receiver`.
 */
import { EAGAIN, ENOENT, systemCalls } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import type { LaneWriter } from "../src/lane.ts";
import { Mailbox } from "../src/mailbox.ts";
import { Outbox } from "../src/outbox.ts";
import { Receiver } from "../src/receiver.ts";
import { isDead, type Party, step, type World } from "./lane_explorer.ts";
import { type Saved, SERIAL_MIN } from "./lane_states.ts";

/** Bytes of each message, none 0 and all different from those of any other. */
function messageOf(sender: number, number: number): Uint8Array {
  const base = sender * 64 + number * 4;
  return Uint8Array.of(base + 1, base + 2, base + 3, base + 4);
}

/** An eventfd in an edge-triggered epoll set, and the numbers of its duplicates. */
export class ModelKernel implements World {
  counter = 0;
  /** Whether there was a write that no wait has reported. */
  edge = false;
  /** Duplicates that are open. */
  open: number[] = [];
  /** Those of them that are duplicates of another file. */
  foreign: number[] = [];
  /** Whether the receiver has closed its own descriptor, and something else got the number. */
  isReplaced = false;

  /** The counter goes up to `counterMax`, 2^64 - 2 in the kernel; Infinity: it does not matter. */
  constructor(readonly counterMax: number) {}

  write(fd: number): number {
    this.#check(fd);
    if (this.counter === this.counterMax) return -EAGAIN;
    this.counter = this.counterMax === Infinity ? 1 : this.counter + 1;
    this.edge = true;
    return 8;
  }

  read(fd: number): number {
    this.#check(fd);
    if (this.counter === 0) return -EAGAIN;
    this.counter = 0;
    return 8;
  }

  /** F_DUPFD, which answers `fd`: each sender has its own, so that fewer states differ. */
  duplicate(fd: number): number {
    this.open = [...this.open, fd];
    if (this.isReplaced) this.foreign = [...this.foreign, fd];
    return fd;
  }

  close(fd: number): number {
    if (!this.open.includes(fd)) throw new Error(`${fd} is closed twice`);
    this.open = this.open.filter((each) => each !== fd);
    this.foreign = this.foreign.filter((each) => each !== fd);
    return 0;
  }

  isReadable(): boolean {
    return this.edge && this.counter > 0;
  }

  /** epoll_wait: whether it reports the eventfd. */
  report(): boolean {
    const readable = this.isReadable();
    this.edge = false;
    return readable;
  }

  save(): Saved {
    const { counter, edge, open, foreign, isReplaced } = this;
    return { counter, edge, open, foreign, isReplaced };
  }

  restore(saved: Saved): void {
    Object.assign(this, saved);
  }

  #check(fd: number): void {
    if (fd === EVENTFD) return;
    if (!this.open.includes(fd)) throw new Error(`${fd} is not open`);
    if (this.foreign.includes(fd)) throw new Error(`${fd} is another file`);
  }
}

/** What a model sender does. */
export interface SenderPlan {
  readonly messages: number;
  /** Whether it opens its outbox as a part of the exploration. */
  readonly opens?: boolean;
  readonly closes?: boolean;
  /** Waits for room in `post()`, and not for the model to say that there is. */
  readonly waits?: boolean;
  readonly notifies?: boolean;
  /** Starts only once this one is dead. */
  readonly after?: ModelSender;
  /** May find that all lanes are taken, and is done then. */
  readonly mayFindNone?: boolean;
}

/** A thread that opens an outbox, posts, and may close it. */
export class ModelSender implements Party {
  readonly name: string;
  outbox: Outbox | null = null;
  posted = 0;
  notified = false;
  closed = false;
  isFull = false;
  /** There was no lane, or the inbox is closed. */
  isOver = false;
  /** The duplicate that it made itself. */
  fd = -1;
  /** In the operation under way. */
  clockReads = 0;

  constructor(
    readonly mailbox: ModelMailbox,
    readonly id: number,
    readonly plan: SenderPlan,
  ) {
    this.name = `sender ${id}`;
    if (!plan.opens) this.#open();
  }

  isDone(): boolean {
    if (this.isOver) return true;
    return this.outbox !== null && this.posted === this.plan.messages &&
      this.notified === (this.plan.notifies ?? false) &&
      this.closed === (this.plan.closes ?? false);
  }

  run(): void {
    if (this.outbox === null) {
      const { after } = this.plan;
      if (after !== undefined) {
        step("start", () => {}, () => isDead(after));
      }
      return this.#open();
    }
    if (this.posted < this.plan.messages) {
      this.#post(this.outbox);
    } else if (this.plan.notifies && !this.notified) {
      this.outbox.notify();
      this.notified = true;
    } else {
      this.outbox.close();
      this.closed = true;
    }
  }

  save(): Saved {
    const lane = this.outbox?.lane;
    return {
      outbox: new Hidden(this.outbox),
      lane: new Hidden(lane),
      laneAt: lane?.header.byteOffset,
      fd: this.fd,
      tail: lane?.tail,
      headSeen: lane?.headSeen,
      posted: this.posted,
      notified: this.notified,
      closed: this.closed,
      isFull: this.isFull,
      isOver: this.isOver,
    };
  }

  restore(saved: Saved): void {
    this.outbox = (saved.outbox as Hidden<Outbox | null>).value;
    const lane = (saved.lane as Hidden<Outbox["lane"]>).value;
    if (this.outbox !== null) this.outbox.lane = lane;
    if (lane !== null && lane !== undefined) {
      lane.tail = saved.tail as number;
      lane.headSeen = saved.headSeen as number;
    }
    this.fd = saved.fd as number;
    this.posted = saved.posted as number;
    this.notified = saved.notified as boolean;
    this.closed = saved.closed as boolean;
    this.isFull = saved.isFull as boolean;
    this.isOver = saved.isOver as boolean;
  }

  #post(outbox: Outbox): void {
    if (this.isFull) {
      const { headSeen } = outbox.lane as LaneWriter;
      const head = this.mailbox.headOf(this);
      step("room", () => {}, () => head[0] !== headSeen);
      this.isFull = false;
      return;
    }
    const message = messageOf(this.id, this.posted);
    this.clockReads = 0;
    const result = outbox.post(message, { timeoutMs: this.plan.waits ? 1 : 0 });
    if (result === "sent") this.posted++;
    else if (result === "closed") this.isOver = true;
    else this.isFull = !this.plan.waits;
  }

  #open(): void {
    const { address } = this.mailbox.mailbox;
    const calls = this.mailbox.callsOf(this);
    if (!this.plan.mayFindNone) {
      this.outbox = new Outbox(address, calls);
      return;
    }
    try {
      this.outbox = new Outbox(address, calls);
    } catch (error) {
      if (!String(error).includes("sendersMax")) throw error;
      this.isOver = true;
    }
  }
}

/** What a model receiver does besides receiving. */
export interface ReceiverPlan {
  /** Sets the eventfd's counter back after so many wake-ups. */
  readonly wakeupsMax?: number;
  /** Closes the mailbox after so many messages. */
  readonly closesAfter?: number;
  /** Makes turns without a wait, when the epoll descriptor is readable. */
  readonly isNested?: boolean;
}

/** What a model receiver does next. */
type Phase =
  | "sleep"
  | "wait"
  | "clear"
  | "wake"
  | "deliver"
  | "leave"
  | "outside"
  | "close";

/** A loop that sleeps, waits, wakes and delivers, as the engine's does. */
export class ModelReceiver implements Party {
  readonly name = "receiver";
  readonly receiver: Receiver;
  received: number[] = [];
  notifications = 0;
  wakeups = 0;
  phase: Phase;
  mayWait = false;

  constructor(readonly model: ModelMailbox, readonly plan: ReceiverPlan) {
    this.phase = this.#afterTurn();
    this.receiver = new Receiver(model.mailbox, () => 0, 1, 1);
    this.receiver.sleeper.sleeps = SERIAL_MIN;
  }

  isDone(): boolean {
    return this.receiver.closed;
  }

  run(): void {
    const { kernel, mailbox } = this.model;
    switch (this.phase) {
      case "sleep":
        this.mayWait = !this.receiver.sleep();
        this.phase = "wait";
        break;
      case "wait": {
        const { mayWait } = this;
        const woken = step(
          mayWait ? "epoll_wait" : "epoll_wait without waiting",
          () => kernel.report(),
          () => !mayWait || kernel.isReadable(),
        );
        this.mayWait = false;
        if (woken && this.plan.wakeupsMax !== undefined) this.wakeups++;
        this.phase = this.wakeups === this.plan.wakeupsMax ? "clear" : "wake";
        break;
      }
      case "clear":
        step("read", () => kernel.read(EVENTFD));
        this.wakeups = 0;
        this.phase = "wake";
        break;
      case "wake":
        this.phase = this.receiver.wake() ? "deliver" : this.#afterTurn();
        break;
      case "deliver":
        this.receiver.deliver((message) => this.#receive(message));
        this.receiver.buffer.bytes.fill(0);
        if (mailbox.takeNotify()) this.notifications++;
        this.phase = this.#isToClose() ? "close" : this.#afterTurn();
        break;
      case "leave":
        if (this.receiver.sleep()) step("ring", () => kernel.write(EVENTFD));
        this.phase = "outside";
        break;
      case "outside":
        step("epoll_wait outside", () => {}, () => kernel.isReadable());
        this.phase = "wait";
        break;
      case "close":
        this.receiver.close((fd) => step("discard", () => kernel.close(fd)));
        step("close", () => kernel.isReplaced = true);
    }
  }

  save(): Saved {
    return {
      received: [...this.received],
      notifications: Math.min(this.notifications, 1),
      wakeups: this.wakeups,
      phase: this.phase,
      mayWait: this.mayWait,
      heads: this.receiver.lanes.map((lane) => lane.head),
      tailsSeen: this.receiver.lanes.map((lane) => lane.tailSeen),
      nextLane: this.receiver.nextLane,
      sleeps: this.receiver.sleeper.sleeps,
      closed: this.receiver.closed,
      buffer: [...this.receiver.buffer.bytes],
    };
  }

  restore(saved: Saved): void {
    const { receiver } = this;
    this.received = [...saved.received as number[]];
    this.notifications = saved.notifications as number;
    this.wakeups = saved.wakeups as number;
    this.phase = saved.phase as ModelReceiver["phase"];
    this.mayWait = saved.mayWait as boolean;
    for (const [index, lane] of receiver.lanes.entries()) {
      lane.head = (saved.heads as number[])[index];
      lane.tailSeen = (saved.tailsSeen as number[])[index];
    }
    receiver.nextLane = saved.nextLane as number;
    receiver.sleeper.sleeps = saved.sleeps as number;
    receiver.closed = saved.closed as boolean;
    receiver.buffer.bytes.set(saved.buffer as number[]);
  }

  /** How many messages of a sender have arrived. */
  arrived(sender: ModelSender): number {
    return this.received[sender.id] ?? 0;
  }

  /** Takes what is left in the lanes, though nobody woke the receiver for it. */
  takeRest(): void {
    while (this.receiver.deliver((message) => this.#receive(message)) > 0);
  }

  /** Whether the next sender would wake the receiver. */
  countsAsAsleep(): boolean {
    return this.model.mailbox.state[0] > 0;
  }

  #afterTurn(): Phase {
    return this.plan.isNested ? "leave" : "sleep";
  }

  #isToClose(): boolean {
    const count = this.received.reduce((sum, each) => sum + each, 0);
    return count === this.plan.closesAfter;
  }

  #receive(message: Uint8Array): void {
    const sender = message[0] >> 6;
    const number = this.received[sender] ?? 0;
    const expected = messageOf(sender, number);
    if (String(message) !== String(expected)) {
      throw new Error(`received ${message} instead of ${expected}`);
    }
    this.received[sender] = number + 1;
  }
}

/** A mailbox of lanes that hold two messages each, and what stands around it. */
export class ModelMailbox {
  readonly kernel: ModelKernel;
  readonly mailbox: Mailbox;
  readonly senders: ModelSender[] = [];

  constructor(lanes: number, counterMax: number = Infinity) {
    this.kernel = new ModelKernel(counterMax);
    // Two records of 8 bytes.
    const limits = { sendersMax: lanes, laneBytes: 8, messageMax: 4 };
    this.mailbox = Mailbox.create(limits, RECEIVER_TID);
    this.mailbox.eventfd = EVENTFD;
  }

  sender(plan: SenderPlan): ModelSender {
    const sender = new ModelSender(this, this.senders.length, plan);
    this.senders.push(sender);
    return sender;
  }

  /** The word that says what has been taken out of a sender's lane. */
  headOf(sender: ModelSender): Int32Array {
    const at = sender.outbox?.lane?.header.byteOffset;
    return new Int32Array(this.mailbox.address.mailbox, at, 1);
  }

  /** The kernel, as one sender's thread sees it. */
  callsOf(sender: ModelSender): SystemCalls {
    const tid = FIRST_TID + sender.id;
    let stat = "";
    return {
      ...systemCalls,
      // A post that waits sees its deadline pass once it has waited.
      now: () => sender.clockReads++ < 2 ? 0 : 1,
      gettid: () => tid,
      open: (name) => {
        stat = `${name} (sender) R${" 0".repeat(18)} 1`;
        return this.#isAlive(name) ? STAT : -ENOENT;
      },
      read: (fd, buffer) => {
        if (fd !== STAT) return step("read", () => this.kernel.read(fd));
        const { written } = new TextEncoder().encodeInto(stat, buffer);
        stat = "";
        return written;
      },
      write: (fd) => step("write", () => this.kernel.write(fd)),
      fcntl: () => {
        const fd = FIRST_DUPLICATE + sender.id;
        return sender.fd = step("duplicate", () => this.kernel.duplicate(fd));
      },
      close: (fd) => {
        return fd === STAT ? 0 : step("close", () => this.kernel.close(fd));
      },
    };
  }

  #isAlive(path: string): boolean {
    const tid = Number(path.split("/")[4]);
    const sender = this.senders[tid - FIRST_TID];
    return step(
      `is ${tid} alive`,
      () => sender === undefined || !isDead(sender),
    );
  }
}

const RECEIVER_TID = 99;
const FIRST_TID = 100;
const EVENTFD = 7;
const FIRST_DUPLICATE = 20;
const STAT = 8;

/** What a party refers to and no state is told apart by. */
class Hidden<T> {
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  toJSON(): null {
    return null;
  }
}
