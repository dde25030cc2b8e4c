/** The child of engine_worker_test.ts: starts workers, stops them, must end by itself. */
import { argv } from "node:process";
import { EngineWorker } from "../mod.ts";

const module = new URL("workers/engine_roles.ts", import.meta.url);

function start(data: unknown): EngineWorker {
  return new EngineWorker(module, { data });
}

switch (argv[2]) {
  case "fail": {
    const worker = start({ name: "failsLater" });
    await worker.ready;
    console.log("ready");
    break;
  }
  case "broken":
    for (
      const url of ["./not_there.ts", "data:text/javascript,throw Error()"]
    ) {
      await new EngineWorker(new URL(url, import.meta.url)).ready
        .catch(() => console.log("rejected"));
    }
    break;
  case "denied":
    await start({ name: "echo" }).ready.catch((error) => {
      console.log(error.message);
    });
    break;
  default: {
    const workers = [1, 2, 3].map((value) => start({ name: "value", value }));
    for (const { ready } of workers) console.log(`ready ${await ready}`);
    const failing = start({ name: "fails" });
    await failing.ready.catch(() => console.log("rejected"));
    await start({ name: "echo" }).stop();
    await Promise.all(workers.map((worker) => worker.stop()));
    console.log("stopped");
  }
}
