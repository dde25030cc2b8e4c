/** Gives descriptors to the inbox of each address that it is sent, until that closes. */
import { type InboxAddress, Outbox } from "../../mod.ts";
import {
  check,
  close,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  eventfd,
} from "../../ffi/mod.ts";

interface Scope {
  onmessage: (event: MessageEvent<InboxAddress>) => void;
  postMessage(counts: Record<string, number>): void;
}

const scope = globalThis as unknown as Scope;
const message = new Uint8Array(20);

scope.onmessage = ({ data: address }) => {
  using outbox = new Outbox(address);
  const counts: Record<string, number> = { sent: 0, full: 0, closed: 0 };
  while (counts.closed === 0) {
    const fd = check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    const bytes = message.subarray(0, counts.sent % 20);
    const result = outbox.give(fd, bytes, { timeoutMs: 5 });
    counts[result]++;
    if (result !== "sent") check(close(fd), "close");
  }
  scope.postMessage(counts);
};
