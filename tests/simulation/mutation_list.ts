/** Ways in which an engine can be broken, as replacements of its text. */

/** One way. */
export interface Mutation {
  /** What the engine does wrong. */
  readonly name: string;
  readonly file: string;
  /** Text that stands in the file once, and what takes its place. */
  readonly from: string;
  readonly to: string;
  /** The program that has to catch it. */
  readonly program:
    | "descriptors"
    | "connections"
    | "timers"
    | "posts"
    | "signals";
}

/** All of them. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: "drop the generation check",
    file: "src/registry.ts",
    from: "return event.generation === generation ? event : null;",
    to: "return event;",
    program: "descriptors",
  },
  {
    name: "forget the MOD of the other direction",
    file: "src/fd_event.ts",
    from: "if (this.writeBits <= DISABLED) this.writeBits = INACTIVE;",
    to: "this.writeBits = INACTIVE;",
    program: "descriptors",
  },
  {
    name: "make no call where the mask shrinks",
    file: "src/changes.ts",
    from: "if (event.changing) this.#apply(event);",
    to:
      "if (event.changing && (event.wanted & event.kernel) !== event.wanted) this.#apply(event);",
    program: "descriptors",
  },
  {
    name: "forget what was reported while muted",
    file: "src/delivery.ts",
    from: "event.readReady = true;\n    if (readActive) {",
    to: "if (readActive) {\n      event.readReady = true;",
    program: "descriptors",
  },
  {
    name: "deliver after close",
    file: "src/fd_event.ts",
    from: "this.writeBits = INACTIVE;\n    this.due = 0;",
    to: "this.writeBits = INACTIVE;",
    program: "descriptors",
  },
  {
    name: "leave a one-shot unspent",
    file: "src/delivery.ts",
    from: "event.readBits = DISABLED;",
    to: "",
    program: "descriptors",
  },
  {
    name: "spin on a hang-up of what is muted",
    file: "src/delivery.ts",
    from: "if (event.rules.repeats && !disarmed) deactivate(event);",
    to: "",
    program: "descriptors",
  },
  {
    name: "lose a failed change",
    file: "src/interest.ts",
    from: "deactivate(event);\n  queueError(event, error);",
    to: "deactivate(event);\n  void error;",
    program: "descriptors",
  },
  {
    name: "lose the deadline when interrupted",
    file: "src/waiter.ts",
    from: "if (count !== 0 && count !== -EINTR) return count;",
    to: "if (count === -EINTR) continue;\n      if (count !== 0) return count;",
    program: "timers",
  },
  {
    name: "fire timers early",
    file: "src/timers.ts",
    from: "this.#schedule(nowMs + Math.max(delayMs, 0));",
    to: "this.#schedule(nowMs + Math.max(delayMs - 0.25, 0));",
    program: "timers",
  },
  {
    name: "fire a timer that was cancelled",
    file: "src/timers.ts",
    from: "cancel(): void {\n    this.due = false;",
    to: "cancel(): void {",
    program: "timers",
  },
  {
    name: "fire equal deadlines in any order",
    file: "src/timers.ts",
    from: "one.heapOrder < other.heapOrder",
    to: "one.heapOrder > other.heapOrder",
    program: "timers",
  },
  {
    name: "skip the wake after a full ring",
    file: "src/outbox.ts",
    from:
      'this.#waker.wake();\n      return "sent";\n    }\n    return this.#waker',
    to:
      'if (!this.full) this.#waker.wake();\n      this.full = false;\n      return "sent";\n    }\n    this.full = true;\n    return this.#waker',
    program: "posts",
  },
  {
    name: "end a turn without a word of what waits",
    file: "src/loop.ts",
    from: "if (source.sleep()) source.ring();",
    to: "source.sleep();",
    program: "posts",
  },
  {
    name: "write a message over the end of another",
    file: "src/lane.ts",
    from: "return (RECORD_HEADER_BYTES + length + 3) & ~3;",
    to: "return (RECORD_HEADER_BYTES + length) & ~3;",
    program: "posts",
  },
  {
    name: "lose a message at the end of the ring",
    file: "src/lane.ts",
    from: "if (++index === from.length) index = 0;",
    to: "++index;",
    program: "posts",
  },
  {
    name: "leak the descriptor of a closed outbox",
    file: "src/lane_descriptor.ts",
    from: "if (fd !== NO_DESCRIPTOR) calls.close(fd);",
    to: "",
    program: "posts",
  },
  {
    name: "tell a closed watch of a signal",
    file: "src/signals.ts",
    from: "if (this.source.closed) return 0;",
    to: "",
    program: "signals",
  },
  {
    name: "lose the signals after the first of a read",
    file: "src/signals.ts",
    from: "at < bytes; at += signalfd_siginfo.size",
    to: "at < signalfd_siginfo.size; at += signalfd_siginfo.size",
    program: "signals",
  },
  {
    name: "leak on a failed accept",
    file: "src/net/exhaustion.ts",
    from: "calls.close(accepted);",
    to: "",
    program: "connections",
  },
  {
    name: "forget who waits when descriptors run out",
    file: "src/net/listener.ts",
    from: "this.#resting = null;\n      this.#enable();",
    to: "this.#resting = null;",
    program: "connections",
  },
  {
    name: "tell twice that a connection is closed",
    file: "src/net/connection.ts",
    from: "if (this.closed) return;\n    this.stage = stage;",
    to: "this.stage = stage;",
    program: "connections",
  },
  {
    name: "tell of no connection instead of what broke it",
    file: "src/net/sending_socket.ts",
    from: "this.takeError() || -result",
    to: "-result",
    program: "connections",
  },
  {
    name: "accept over connectionsMax",
    file: "src/net/listener.ts",
    from: "if (this.#connections >= this.#connectionsMax) {",
    to: "if (this.#connections > this.#connectionsMax) {",
    program: "connections",
  },
  {
    name: "buffer over bufferMax",
    file: "src/net/sender.ts",
    from: "bufferMax - this.length);",
    to: "bufferMax);",
    program: "connections",
  },
  {
    name: "send past what is buffered",
    file: "src/net/sending_socket.ts",
    from:
      "if (this.allSent) {\n      if (this.activity !== null) this.activity.sent();\n      const { event }",
    to:
      "if (bytes.length < 200) {\n      if (this.activity !== null) this.activity.sent();\n      const { event }",
    program: "connections",
  },
  {
    name: "read while paused",
    file: "src/net/receiving_socket.ts",
    from: "return this.stage === OPEN && !this.#paused && !this.readEnded;",
    to: "return this.stage === OPEN && !this.readEnded;",
    program: "connections",
  },
  {
    name: "forget what the read budget left",
    file: "src/net/receiving_socket.ts",
    from: "if (!drained && socket.reading) readAgain(event);",
    to: "",
    program: "connections",
  },
  {
    name: "forget to tell of room",
    file: "src/net/sending_socket.ts",
    from: "else if (owesDrain) this.drained();",
    to: "",
    program: "connections",
  },
  {
    name: "forget merged writes that the kernel did not take",
    file: "src/net/sender.ts",
    from: "if (left === MORE && this.#merging) this.event.enableWrite();",
    to: "",
    program: "connections",
  },
];
