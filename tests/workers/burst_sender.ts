/** Posts a burst whenever the engine is asleep: see `children/post_wakeups.ts`. */
import { readFileSync } from "node:fs";
import { type InboxAddress, Outbox } from "../../mod.ts";

/** What the worker is to do. */
export interface Burst {
  address: InboxAddress;
  /** The first sender waits for the engine's sleep, the others for the first. */
  isFirst: boolean;
  /** The kernel's id of the engine's thread. */
  engineThread: number;
  rounds: number;
  burst: number;
  /** Rounds that the first sender has started. */
  started: Int32Array<SharedArrayBuffer>;
  /** Bursts that are over. */
  posted: Int32Array<SharedArrayBuffer>;
  /** Rounds of which everything was received. */
  handled: Int32Array<SharedArrayBuffer>;
}

interface Scope {
  onmessage: ((event: MessageEvent<Burst | "go">) => void) | null;
  postMessage(text: string): void;
}

const scope = globalThis as unknown as Scope;
const pause = new Int32Array(new SharedArrayBuffer(4));
const message = new Uint8Array(64);

/** What epoll_wait(3) calls: epoll_wait, or epoll_pwait where there is no such. */
const WAIT = Deno.build.arch === "x86_64" ? "232" : "22";

let order: Burst | null = null;

scope.onmessage = ({ data }) => {
  if (data !== "go") {
    order = data;
    scope.postMessage("ready");
    return;
  }
  if (order === null) throw new Error("There is no order");
  work(order);
  scope.postMessage("ended");
};

function work(order: Burst): void {
  const { address, isFirst, rounds, burst, started, posted, handled } = order;
  using outbox = new Outbox(address);
  for (let round = 0; round < rounds; round++) {
    while (Atomics.load(handled, 0) < round) rest();
    if (isFirst) {
      while (!isAsleep(order.engineThread)) rest();
      Atomics.store(started, 0, round + 1);
    } else {
      while (Atomics.load(started, 0) <= round);
    }
    for (let post = 0; post < burst; post++) outbox.post(message);
    Atomics.add(posted, 0, 1);
    Atomics.notify(posted, 0);
  }
}

/** Whether a thread is in the wait of an engine. */
function isAsleep(thread: number): boolean {
  const path = `/proc/self/task/${thread}/syscall`;
  return readFileSync(path, "latin1").split(" ")[0] === WAIT;
}

function rest(): void {
  Atomics.wait(pause, 0, 0, 1);
}
