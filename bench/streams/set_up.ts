/**
 * Connections of a process with itself that are made, accepted and closed, some
 * at a time. Prints what was counted, as JSON.
 *
 *     deno run -A bench/streams/set_up.ts deno|edgewise AT_ONCE WARMUP_SECONDS SECONDS
 */
import { Meter } from "../meter.ts";
import { netOf } from "./nets.ts";

const [net, atOnce, warmup, seconds] = Deno.args;
const { listen, connect } = await netOf(net);
const listener = listen({ hostname: "0.0.0.0", port: 0, tcpBacklog: 1024 });
const { port } = listener.addr;
const meter = new Meter(
  { warmupSeconds: Number(warmup), seconds: Number(seconds) },
  16,
);
/** So that the ports last, which stay taken for a minute: many addresses. */
const ADDRESSES = 250;
let made = 0;
let goesOn = true;

async function accept(): Promise<void> {
  for await (const conn of listener) conn.close();
}

async function setUp(): Promise<void> {
  while (goesOn) {
    const hostname = `127.0.0.${1 + made++ % ADDRESSES}`;
    const conn = await connect({ hostname, port });
    // The other side has been accepted, and ended.
    await conn.read(new Uint8Array(1));
    conn.close();
    if (!meter.add()) goesOn = false;
  }
}

accept();
await Promise.all(Array.from({ length: Number(atOnce) }, setUp));
console.log(JSON.stringify(meter.count));
// It is measured up to here, and ended from outside.
await Deno.stdin.read(new Uint8Array(1));
Deno.exit(0);
