/**
 * An echo server that runs out of descriptors: `net_exhausted.ts POLICY`. Prints
 * its port and what its engine is told of; answers `?` with its state as JSON.
 */
import { argv } from "node:process";
import { Engine, type ExhaustedPolicy, SystemError } from "../../mod.ts";

/** What it answers to `?`. */
export interface ExhaustedReport {
  connections: number;
  shed: number;
  turns: number;
  events: number;
}

const engine = new Engine({
  onError(error) {
    console.log(error instanceof SystemError ? error.message : `${error}`);
  },
});
const onExhausted = argv[2] as ExhaustedPolicy;
const listener = engine.listen({ onExhausted, backlog: 256 }, {
  data(connection, chunk) {
    if (chunk[0] !== 0x3f) return void connection.write(chunk);
    const { turns, events } = engine.metrics;
    const { connections, shed } = listener;
    const report: ExhaustedReport = { connections, shed, turns, events };
    connection.write(new TextEncoder().encode(JSON.stringify(report)));
  },
});
console.log(`listening on 127.0.0.1:${listener.port}`);
engine.run();
