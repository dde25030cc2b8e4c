/**
 * Inbox and Outbox between engines that each own their thread. With `?spin` they
 * look for messages before they wait.
 */
import { Engine, type InboxAddress, Outbox } from "../../../mod.ts";
import { Meter } from "../../meter.ts";
import { checksum, MESSAGE_BYTES, takePart, WINDOW } from "../part.ts";

const message = new Uint8Array(MESSAGE_BYTES).fill(1);
const engine = new Engine({
  spinUs: import.meta.url.endsWith("?spin") ? 100 : 0,
});
/** What is done with a message; known only once the others are. */
let receive: (message: Uint8Array) => void = () => {};

function openInbox(): InboxAddress {
  // Each message takes up four bytes more than its own.
  const options = { laneBytes: WINDOW * (MESSAGE_BYTES + 4) };
  return engine.inbox(options, (message) => receive(message)).address;
}

takePart({
  hub({ others }) {
    const address = openInbox();
    return { links: Array.from({ length: others }, () => address) };
  },

  goHub(order, [link], done) {
    if (order.role === "ping") {
      using outbox = new Outbox(link as InboxAddress);
      const meter = new Meter(order, 16);
      receive = () => {
        if (meter.add()) outbox.post(message);
        else engine.stop();
      };
      outbox.post(message);
      engine.run();
      if (meter.count !== null) done(meter.count);
      return;
    }
    const meter = new Meter(order, 4096);
    let sum = 0;
    receive = (message) => {
      sum = (sum + checksum(message)) | 0;
      if (!meter.add()) engine.stop();
    };
    engine.run();
    if (meter.count !== null && sum !== 0) done(meter.count);
  },

  other({ role, link }) {
    const outbox = new Outbox(link as InboxAddress);
    if (role === "pong") {
      receive = (message) => void outbox.post(message);
      return { link: openInbox(), go: () => engine.run() };
    }
    return {
      link: null,
      go() {
        const options = { timeoutMs: -1 };
        while (outbox.post(message, options) === "sent");
      },
    };
  },
});
