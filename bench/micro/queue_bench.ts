/** What it costs to queue a piece of work and to take it. */
import {
  FAST,
  READ_QUEUE,
  type Task,
  TASK_WORK,
  WorkQueues,
} from "../../src/work_queue.ts";

const ITEMS = 100;

const queues = new WorkQueues(128);
const task: Task = { source: {}, run: () => 0 };

function drain(): void {
  for (;;) {
    const queue = queues.next();
    if (queue === null) return;
    queue.shift();
    queues.taken();
  }
}

Deno.bench(`${ITEMS} items through one queue`, () => {
  for (let i = 0; i < ITEMS; i++) queues.push(READ_QUEUE, task, TASK_WORK);
  drain();
});

Deno.bench(`${ITEMS} items through all queues`, () => {
  for (let i = 0; i < ITEMS; i++) queues.push(FAST + (i & 7), task, TASK_WORK);
  drain();
});
