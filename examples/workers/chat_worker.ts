/**
 * One worker of chat.ts: has a share of the clients, tells the room what they
 * say, and sends them what the room says.
 */
import {
  type Connection,
  type ConnectionHandlers,
  type InboxAddress,
  Outbox,
  runEngineWorker,
} from "../../mod.ts";
import { LINE_MAX, Lines } from "../chat/lines.ts";
import type { Notice, Report } from "../chat/room.ts";
import { fromJson, toJson } from "./json.ts";

/** What the room can have on its way to a worker, in bytes. */
const LANE_BYTES = 1024 * 1024;
/** Bytes that wait for a slow reader; at more it is dropped. */
const BUFFER_MAX = 64 * 1024;

/** What a worker knows of a client. */
interface Client {
  readonly id: number;
  readonly lines: Lines;
  /** What the others are told when it is gone. */
  gone: string;
}

const clients = new Map<number, Connection>();
const encoder = new TextEncoder();
const tooLong = encoder.encode(`* A line may have ${LINE_MAX} bytes\n`);
/** The way to the room; null once this worker ends, which nobody is told. */
let room: Outbox | null = null;

/** Waits while the lane is full: the thread at its other end waits for nobody. */
function report(what: Report): void {
  room?.post(toJson(what), { timeoutMs: Infinity });
}

/** Sends a line. Nobody waits for one who does not read. */
function send(connection: Connection, bytes: Uint8Array): void {
  if (connection.closed || connection.write(bytes) === bytes.length) return;
  if (connection.closed) return;
  clientOf(connection).gone = "has been dropped: it reads too slowly";
  connection.reset();
}

function clientOf(connection: Connection): Client {
  return connection.context as Client;
}

const handlers: ConnectionHandlers = {
  data(connection, chunk) {
    const { id, lines } = clientOf(connection);
    for (const line of lines.read(chunk)) {
      if (line === null) send(connection, tooLong);
      else report({ id, line });
    }
  },
  close(connection) {
    const { id, gone } = clientOf(connection);
    clients.delete(id);
    report({ id, gone });
  },
};

runEngineWorker((engine, data) => {
  room = new Outbox(data as InboxAddress);
  return engine.inbox({
    sendersMax: 1,
    laneBytes: LANE_BYTES,
    descriptor(fd, message) {
      const id = fromJson<number>(message);
      const limits = { bufferMax: BUFFER_MAX };
      const connection = engine.adopt(fd, handlers, limits);
      connection.context = { id, lines: new Lines(), gone: "has left" };
      clients.set(id, connection);
    },
  }, (message) => {
    const { to, line } = fromJson<Notice>(message);
    const bytes = encoder.encode(`${line}\n`);
    if (to === null) {
      for (const client of clients.values()) send(client, bytes);
      return;
    }
    const client = clients.get(to);
    if (client !== undefined) send(client, bytes);
  }).address;
}, {
  stopped() {
    room?.close();
    room = null;
  },
});
