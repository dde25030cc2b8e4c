/** The runtime's own messages, between the ports of a channel. */
import { Meter } from "../../meter.ts";
import { checksum, MESSAGE_BYTES, takePart, WINDOW } from "../part.ts";

/** Messages between two reports of how many were taken. */
const WINDOW_STEP = 1024;

interface Link {
  port: MessagePort;
  /** How many messages the receiver has taken, in steps. */
  taken: Int32Array<SharedArrayBuffer>;
}

const message = new Uint8Array(MESSAGE_BYTES).fill(1);
const ends: Link[] = [];

takePart({
  hub({ others }) {
    const links: Link[] = [];
    for (let other = 0; other < others; other++) {
      const { port1, port2 } = new MessageChannel();
      const taken = new Int32Array(new SharedArrayBuffer(4));
      ends.push({ port: port1, taken });
      links.push({ port: port2, taken });
    }
    return { links, transfer: links.map(({ port }) => port) };
  },

  goHub(order, _, done) {
    if (order.role === "ping") {
      const meter = new Meter(order, 16);
      const { port } = ends[0];
      port.onmessage = () => {
        if (meter.add()) port.postMessage(message);
        else if (meter.count !== null) done(meter.count);
      };
      port.postMessage(message);
      return;
    }
    const meter = new Meter(order, 1024);
    let sum = 0;
    for (const { port, taken } of ends) {
      let received = 0;
      port.onmessage = ({ data }: MessageEvent<Uint8Array>) => {
        sum = (sum + checksum(data)) | 0;
        if (++received % WINDOW_STEP === 0) {
          Atomics.store(taken, 0, received);
          Atomics.notify(taken, 0);
        }
        if (meter.add() || meter.count === null || sum === 0) return;
        // Closing the ports would deliver what is on its way within the call.
        for (const { port } of ends) port.onmessage = null;
        done(meter.count);
      };
    }
  },

  other({ role, link }) {
    const { port, taken } = link as Link;
    if (role === "pong") {
      port.onmessage = ({ data }) => port.postMessage(data);
      return { link: null, go() {} };
    }
    return {
      link: null,
      go() {
        for (let sent = 0;; sent++) {
          let seen = Atomics.load(taken, 0);
          while (sent - seen >= WINDOW) {
            Atomics.wait(taken, 0, seen);
            seen = Atomics.load(taken, 0);
          }
          port.postMessage(message);
        }
      },
    };
  },
});
