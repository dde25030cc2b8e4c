/** The worker of worker_wakeup.ts. */
import { type InboxAddress, Outbox } from "../../mod.ts";

const encoder = new TextEncoder();

addEventListener("message", (event) => {
  using outbox = new Outbox((event as MessageEvent<InboxAddress>).data);
  outbox.notify();
  for (const text of ["hello", "from a worker", "goodbye"]) {
    pause(20);
    // "full" if there was no room within a second, "closed" if the engine is gone.
    const result = outbox.post(encoder.encode(text), { timeoutMs: 1000 });
    if (result !== "sent") console.log(`${text}: ${result}`);
  }
});

/** Long enough for the engine to be asleep again. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
