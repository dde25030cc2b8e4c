/** Posts what `inbox_stress.ts` checks. */
import { Outbox } from "../../src/outbox.ts";
import {
  type Assignment,
  fillOf,
  HEADER_BYTES,
  lengthOf,
  MESSAGE_MAX,
} from "../inbox_stress_messages.ts";

interface Scope {
  onmessage: (event: MessageEvent<Assignment>) => void;
  postMessage(text: string): void;
}

const scope = globalThis as unknown as Scope;
const words = new Uint32Array(MESSAGE_MAX / 4);
const bytes = new Uint8Array(words.buffer);
const WAIT = { timeoutMs: 60_000 };

function postAll({ address, sender, posts }: Assignment, session: number) {
  using outbox = new Outbox(address);
  words[0] = sender;
  words[1] = session;
  for (let number = 0; number < posts; number++) {
    const length = lengthOf(number);
    words[2] = number;
    words[3] = posts - number - 1;
    bytes.fill(fillOf(sender, number), HEADER_BYTES, length);
    const result = outbox.post(bytes.subarray(0, length), WAIT);
    if (result !== "sent") throw new Error(`post() answered ${result}`);
  }
}

scope.onmessage = ({ data: assignment }) => {
  for (let session = 0; session < assignment.sessions; session++) {
    postAll(assignment, session);
  }
  scope.postMessage("finished");
};
scope.postMessage("ready");
