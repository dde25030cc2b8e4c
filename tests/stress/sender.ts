/** A sender of a run: posts its messages, and says what it has sent. */
import { Outbox } from "../../mod.ts";
import { MessageMaker } from "./messages.ts";
import {
  OUTBOX_POSTS,
  type SenderAnswer,
  type SenderOrder,
} from "./scenarios.ts";

interface Scope {
  onmessage: ((event: MessageEvent<SenderOrder>) => void) | null;
  postMessage(answer: SenderAnswer): void;
}

const scope = globalThis as unknown as Scope;
const FOR_EVER = { timeoutMs: -1 };

scope.onmessage = ({ data: order }) => {
  const { scenario, streamStep, messages, abandons } = order;
  const maker = new MessageMaker(scenario);
  const posted = new Map<number, number>();
  let full = 0;
  let left = messages;
  for (let stream = order.stream; left > 0; stream += streamStep) {
    const count = scenario.comesAndGoes ? Math.min(left, OUTBOX_POSTS) : left;
    const outbox = open(order);
    for (let number = 0; number < count; number++) {
      const message = maker.make(stream, number);
      let result = outbox.post(message);
      if (result === "full") {
        full++;
        result = outbox.post(message, FOR_EVER);
      }
      if (result !== "sent") throw new Error(`post() answered ${result}`);
    }
    posted.set(stream, count);
    left -= count;
    if (left > 0 || !abandons) outbox.close();
  }
  scope.postMessage({ posted, full });
};

/** Opens an outbox once there is a lane: its last owner's thread may still be ending. */
function open({ address }: SenderOrder): Outbox {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return new Outbox(address);
    } catch (error) {
      if (!String(error).includes("sendersMax")) throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}
