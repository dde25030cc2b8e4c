/** The engine of a run, in a worker of its own. */
import { Engine } from "../../mod.ts";
import { Ledger } from "./messages.ts";
import type { Posted, ReceiverAnswer, ReceiverOrder } from "./scenarios.ts";

interface Scope {
  onmessage: ((event: MessageEvent<ReceiverOrder | Posted>) => void) | null;
  postMessage(answer: ReceiverAnswer): void;
}

const scope = globalThis as unknown as Scope;
const engine = new Engine();
let ledger: Ledger;

/** Receives until all have arrived, then whatever else there is. */
function receive({ scenario, senders, total, progress }: ReceiverOrder): void {
  const { laneBytes, messageMax, stallEvery, stallMs } = scenario;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  ledger = new Ledger(scenario);
  const { address } = engine.inbox(
    { sendersMax: senders, laneBytes, messageMax },
    (message) => {
      ledger.take(message);
      const { received } = ledger;
      Atomics.store(progress, 0, received);
      if (received % stallEvery === 0) Atomics.wait(pause, 0, 0, stallMs);
      if (received === total) engine.stop();
    },
  );
  scope.postMessage({ address });
  engine.run();
  scope.postMessage({ stopped: true });
}

/** Compares what has arrived with what was sent. */
function compare(posted: Posted): void {
  while (engine.turn(0) > 0);
  ledger.check(posted);
  const { wakeups, turns } = engine.metrics;
  scope.postMessage({ bytes: ledger.bytes, wakeups, turns });
  engine.close();
}

scope.onmessage = ({ data }) => {
  try {
    if ("scenario" in data) receive(data);
    else compare(data);
  } catch (error) {
    scope.postMessage({ failure: String(error) });
  }
};
