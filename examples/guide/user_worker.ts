/** The worker of user.ts: triggers its event. */
import { type InboxAddress, Outbox } from "../../mod.ts";

interface Task {
  address: InboxAddress;
  triggered: Int32Array;
  times: number;
}

addEventListener("message", (event) => {
  const { address, triggered, times } = (event as MessageEvent<Task>).data;
  using outbox = new Outbox(address);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let count = 0; count < times; count++) {
    Atomics.add(triggered, 0, 1);
    outbox.notify();
    Atomics.wait(pause, 0, 0, 20);
  }
});
