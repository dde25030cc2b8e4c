/**
 * A chat of lines, over several workers: whoever is connected sees what everybody
 * says, whichever worker they are on. Try it with `nc 127.0.0.1 8080`.
 *
 *     deno run --allow-ffi --allow-read examples/chat.ts [port] [workers]
 *
 * This thread accepts the clients, gives them to the workers in turn, and keeps
 * the room. Lines come from the workers by one inbox, and go to all of them by an
 * outbox each. Nothing waits for a slow reader: a client that leaves 64 KiB unread
 * is dropped, and a worker that leaves 1 MiB misses lines and is told so.
 */
import process from "node:process";
import {
  type Connection,
  Engine,
  EngineWorker,
  type InboxAddress,
  Outbox,
} from "../mod.ts";
import { close } from "../ffi/mod.ts";
import { Mail } from "./chat/mail.ts";
import { type Report, Room } from "./chat/room.ts";
import { fail, integer } from "./echo.ts";
import { fromJson, toJson } from "./workers/json.ts";

const CLIENTS_MAX = 10_000;
const FULL = new TextEncoder().encode("* The room is full\n");

const [, , portText = "8080", countText = "2"] = process.argv;
const port = integer("port", portText, 0, 65535);
const count = integer("number of workers", countText, 1, 64);

const engine = new Engine();
const mails: Mail[] = [];
const room = new Room((notice) => {
  const bytes = toJson(notice);
  for (const mail of mails) mail.send(bytes);
});
let lastId = 0;

/** Lets a client in, by way of the next worker. */
function admit(connection: Connection): void {
  if (room.size === CLIENTS_MAX) return connection.end(FULL);
  const id = ++lastId;
  const fd = connection.detach();
  const { outbox } = mails[id % count];
  // What was not sent is still ours.
  if (outbox.give(fd, toJson(id)) === "sent") room.enter(id);
  else close(fd);
}

try {
  const inbox = engine.inbox({ sendersMax: count }, (message) => {
    room.report(fromJson<Report>(message));
  });
  const module = new URL("workers/chat_worker.ts", import.meta.url);
  const workers = Array.from(
    { length: count },
    () => new EngineWorker(module, { data: inbox.address }),
  );
  const addresses = await Promise.all(workers.map(({ ready }) => ready));
  for (const address of addresses as InboxAddress[]) {
    mails.push(new Mail(new Outbox(address)));
  }
  const listener = engine.listen({ port, backlog: 4096 }, { open: admit });
  const stop = () => workers.forEach((worker) => void worker.stop());
  process.on("SIGINT", stop).on("SIGTERM", stop);
  console.log(`listening on 127.0.0.1:${listener.port}`);
  // Beside the runtime's own loop, which hears of signals and of workers that fail.
  const running = engine.start();
  await Promise.race([running, ...workers.map(({ finished }) => finished)]);
  stop();
  await Promise.all(workers.map(({ finished }) => finished));
  engine.close();
  process.exit();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
