/** The worker of json_messages.ts: an engine that answers. */
import { type InboxAddress, Outbox, runEngineWorker } from "../../mod.ts";
import { type Answer, fromJson, type Question, toJson } from "./json.ts";

let outbox: Outbox;

runEngineWorker((engine, data) => {
  outbox = new Outbox(data as InboxAddress);
  return engine.inbox({}, (message) => {
    const { id, add } = fromJson<Question>(message);
    const sum = add.reduce((sum, number) => sum + number, 0);
    outbox.post(toJson({ id, sum } satisfies Answer));
  }).address;
}, {
  stopped: () => outbox.close(),
});
