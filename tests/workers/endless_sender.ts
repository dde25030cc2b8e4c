/** Posts numbered messages of mixed sizes until it is ended. */
import { Outbox } from "../../src/outbox.ts";
import type { InboxAddress } from "../../src/mailbox.ts";
import { lengthOf, MESSAGE_MAX } from "../inbox_stress_messages.ts";

interface Scope {
  onmessage: (event: MessageEvent<InboxAddress>) => void;
  postMessage(text: string): void;
}

const scope = globalThis as unknown as Scope;
const words = new Uint32Array(MESSAGE_MAX / 4);
const bytes = new Uint8Array(words.buffer);

scope.onmessage = ({ data: address }) => {
  using outbox = new Outbox(address);
  scope.postMessage("posting");
  for (let number = 0;;) {
    words.fill(number);
    const message = bytes.subarray(0, lengthOf(number));
    const result = outbox.post(message, { timeoutMs: 100 });
    if (result === "closed") return;
    if (result === "sent") number++;
  }
};
