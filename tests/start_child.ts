/** The child of start_end_test.ts: its engine ends, and then it must by itself. */
import { argv } from "node:process";
import { Engine } from "../mod.ts";

const how = argv[2] ?? "";
const engine = new Engine();
engine.listen({ port: 0 }, {});
const inbox = engine.inbox({}, () => {});
const running = engine.start();

const ways: Record<string, () => void> = {
  "a handler's stop()": () => engine.timer(1, () => engine.stop()),
  "stop() while it waits": () => setTimeout(() => engine.stop(), 5),
  "close() while it waits": () => setTimeout(() => engine.close(), 5),
  "a handler that throws"() {
    engine.timer(1, () => {
      throw new Error("on purpose");
    });
  },
  "another worker"() {
    const worker = new Worker(new URL("workers/stopper.ts", import.meta.url), {
      type: "module",
    });
    worker.postMessage(inbox.address);
    running.then(() => worker.terminate());
  },
  async "five timers"() {
    console.log(`descriptor ${engine.fd}`);
    for (let round = 0; round < 5; round++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise<void>((resolve) => engine.timer(20, resolve));
    }
    engine.stop();
  },
};
ways[how]();

try {
  await running;
  console.log(`ended by ${how}`);
} catch (error) {
  console.log(`ended by ${how}: ${(error as Error).message}`);
}
