/** A server that stops while the setup function of its worker does not end. */
import { Server } from "../../src/server/mod.ts";
import { until } from "../support/within.ts";
import type { OddRole } from "../workers/server_odd_roles.ts";

const module = new URL("../workers/server_odd_roles.ts", import.meta.url);
const begun = new Int32Array(new SharedArrayBuffer(4));
const data: OddRole = { begun, hangs: true };
const server = new Server(module, { workers: 1, data, stopOn: [] });
const ready = server.ready.catch((error) => console.log(String(error)));
await until(() => Atomics.load(begun, 0) === 1);
await server.stop(1);
await ready;
