/**
 * Inboxes carry bytes; this sends objects over them as JSON, to an engine in a
 * worker and back.
 *
 *     deno run --allow-ffi --allow-read examples/json_messages.ts
 */
import { Engine, EngineWorker, type InboxAddress, Outbox } from "../mod.ts";
import {
  type Answer,
  fromJson,
  type Question,
  toJson,
} from "./workers/json.ts";

const questions: Question[] = [
  { id: 1, add: [1, 2, 3] },
  { id: 2, add: [0.5, 0.25] },
  { id: 3, add: [] },
];

using engine = new Engine();
let answers = 0;

const inbox = engine.inbox({}, (message) => {
  const { id, sum } = fromJson<Answer>(message);
  console.log(`answer ${id}: ${sum}`);
  if (++answers === questions.length) engine.stop();
});

const module = new URL("workers/json_worker.ts", import.meta.url);
await using worker = new EngineWorker(module, { data: inbox.address });
using outbox = new Outbox(await worker.ready as InboxAddress);
for (const question of questions) {
  const result = outbox.post(toJson(question), { timeoutMs: 1000 });
  if (result !== "sent") throw new Error(`question ${question.id}: ${result}`);
}
engine.run();
