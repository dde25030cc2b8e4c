/**
 * Prints the bytes of heap that each datagram costs on its way through an echo
 * and back, once everything is warm. Run it as `steady_state.ts` is run.
 */
import { memoryUsage } from "node:process";
import { Engine } from "../../mod.ts";

const WARM_UP = 200_000;
const DATAGRAMS = 500_000;
/** Lengths that come in turn. */
const LENGTHS = [64, 100, 65];

using engine = new Engine();
let got = 0;
let before = 0;

const server = engine.datagram({ port: 0 }, {
  data(datagram, chunk, from) {
    datagram.send(chunk, from);
  },
});
const client = engine.datagram({ remote: { port: server.port } }, {
  data(datagram, chunk) {
    datagram.send(chunk);
    got++;
    if (got === WARM_UP) before = memoryUsage().heapUsed;
    if (got !== WARM_UP + DATAGRAMS) return;
    console.log((memoryUsage().heapUsed - before) / DATAGRAMS);
    engine.stop();
  },
});
for (let index = 0; index < 60; index++) {
  client.send(new Uint8Array(LENGTHS[index % LENGTHS.length]));
}
engine.run();
