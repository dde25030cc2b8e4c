/**
 * Prints the bytes of heap that each datagram costs on its way through an echo
 * and back; see `heap_meter.ts`.
 */
import { Engine } from "../../mod.ts";
import { HeapMeter } from "../support/heap_meter.ts";

/** Lengths that come in turn. */
const LENGTHS = [64, 100, 65];

using engine = new Engine();
const meter = new HeapMeter();

const server = engine.datagram({ port: 0 }, {
  data(datagram, chunk, from) {
    datagram.send(chunk, from);
  },
});
const client = engine.datagram({ remote: { port: server.port } }, {
  data(datagram, chunk) {
    datagram.send(chunk);
    if (meter.count()) engine.stop();
  },
});
for (let index = 0; index < 60; index++) {
  client.send(new Uint8Array(LENGTHS[index % LENGTHS.length]));
}
engine.run();
