/** Runs signal_blocked_in.ts in a Worker. */
const url = new URL("./signal_blocked_in.ts", import.meta.url);
const worker = new Worker(url, { type: "module" });
worker.onerror = (event) => console.error(event.message);
