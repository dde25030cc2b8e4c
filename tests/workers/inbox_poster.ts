/** Opens one outbox, posts as often as each message says, and closes it when there is no address. */
import type { InboxAddress } from "../../src/mailbox.ts";
import { Outbox } from "../../src/outbox.ts";

/** What it is sent. */
export interface Order {
  address: InboxAddress | null;
  posts: number;
  timeoutMs: number;
}

interface Scope {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(results: string[]): void;
}

const scope = globalThis as unknown as Scope;
let outbox: Outbox | null = null;

scope.onmessage = ({ data: { address, posts, timeoutMs } }) => {
  const results: string[] = [];
  if (address === null) outbox?.close();
  else outbox ??= new Outbox(address);
  for (let number = 0; number < posts; number++) {
    const result = outbox?.post(Uint8Array.of(number), { timeoutMs });
    results.push(String(result));
  }
  scope.postMessage(results);
};
