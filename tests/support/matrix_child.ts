/**
 * The child of changes_test.ts, traced from outside: uses an engine in every
 * way that changes the interest list, and prints what the engine counted.
 */
import { Engine, type Trigger } from "../../mod.ts";
import {
  check,
  close,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  epoll_ctl,
  EPOLL_CTL_DEL,
  eventfd,
} from "../../ffi/mod.ts";

/** Calls made on the engine's descriptor behind its back. */
let foreign = 0;

function counter(value: number): number {
  return check(eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
}

const trigger: Trigger = Deno.args[0] === "level" ? "level" : "edge";
const engine = new Engine({ trigger, changesMax: 64 });
const value = new Uint8Array(8);
const events = Array.from(
  { length: 100 },
  (_, index) =>
    engine.register(counter(index % 2), {
      read: (event) => void event.read(value),
      write: (event) => event.disableWrite(),
    }),
);

// More than the array of changes holds.
for (const event of events) event.enable();
engine.turn(0);
// Verbs that cancel out.
for (const event of events) {
  event.disableRead();
  event.enableRead();
  event.blockRead();
  event.enableRead();
}
engine.turn(0);
for (const event of events) event.oneshotWrite();
engine.commit();
for (const event of events) event.oneshotRead();
engine.turn(0);
for (const event of events.slice(0, 10)) event.enableAccept();
engine.turn(0);
for (const event of events.slice(0, 10)) event.blockRead();
engine.turn(0);
// An entry that has gone: the change is repaired by a second call.
events[50].enableRead();
engine.commit();
check(epoll_ctl(engine.fd, EPOLL_CTL_DEL, events[50].fd, null), "epoll_ctl");
foreign++;
events[50].enableWrite();
engine.commit();
engine.turn(0);
// A change that fails.
const failing = counter(0);
close(failing);
const refused = engine.register(failing, { error: () => {} });
refused.enable();
engine.turn(0);
for (const event of events.slice(0, 50)) event.close();
// A wait with a timeout, and one for a timer.
engine.turn(0.2);
engine.timer(0.2, () => engine.stop());
engine.run();
const rest = events.slice(50).map((event) => event.fd);
engine.close();
for (const fd of rest) close(fd);
console.log(JSON.stringify({ fd: engine.fd, foreign, ...engine.metrics }));
