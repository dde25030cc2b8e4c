/** An engine worker that answers datagrams to a shared port with its name. */
import { runEngineWorker } from "../../mod.ts";

/** What the worker is told. */
export interface Answerer {
  port: number;
  name: string;
}

runEngineWorker((engine, data) => {
  const { port, name } = data as Answerer;
  const answer = new TextEncoder().encode(name);
  return engine.datagram({ port, reusePort: true }, {
    data: (datagram, _chunk, from) => void datagram.send(answer, from),
  }).port;
});
