/** Edgewise's datagrams: engine.datagram, as its documents have it. */
import { Engine } from "../../mod.ts";

const engine = new Engine();
const socket = engine.datagram({ port: 0 }, {
  data(datagram, chunk, from) {
    datagram.send(chunk, from);
  },
});
console.log(`listening on 127.0.0.1:${socket.port}`);
engine.run();
