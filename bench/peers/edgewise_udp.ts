/**
 * Edgewise's datagrams: engine.datagram, as its documents have it. With the
 * argument `single` nothing is sent or received as segments of one datagram.
 */
import { Engine } from "../../mod.ts";

const engine = new Engine();
const segments = Deno.args[0] !== "single";
const socket = engine.datagram({ port: 0, segments }, {
  data(datagram, chunk, from) {
    datagram.send(chunk, from);
  },
});
console.log(`listening on 127.0.0.1:${socket.port}`);
engine.run();
