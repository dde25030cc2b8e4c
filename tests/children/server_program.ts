/** A server with the signals that it has by default. */
import { Server } from "../../src/server/mod.ts";

const module = new URL("../workers/server_roles.ts", import.meta.url);
const server = new Server(module, { workers: 1, data: {} });
await server.ready;
console.log(`listening on 127.0.0.1:${server.port}`);
await server.finished;
