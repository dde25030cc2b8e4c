/**
 * Runs out of descriptors while clients connect, and gets some back later.
 * Prints what it did as a line of JSON.
 */
import {
  check,
  EFD_CLOEXEC,
  EMFILE,
  eventfd,
  systemCalls,
} from "../../ffi/mod.ts";
import { Engine, type Trigger } from "../../mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { Files, put } from "./files.ts";

/** What is printed. */
export interface EmfileReport {
  /** Failed calls of accept4. */
  refused: number;
  /** Waits while descriptors were short, and how long that was. */
  waits: number;
  shortMs: number;
  /** Bytes that a connection got through meanwhile. */
  served: number;
  /** Connections in the end. */
  opened: number;
}

const [trigger, exclusive] = Deno.args;
const kernel = new CountingCalls(systemCalls);
using engine = new Engine({ trigger: trigger as Trigger }, kernel.calls);
using files = new Files();
const report: EmfileReport = {
  refused: 0,
  waits: 0,
  shortMs: 0,
  served: 0,
  opened: 0,
};

const listener = engine.listen({ exclusive: exclusive === "exclusive" }, {
  open: () => void report.opened++,
  data: (_, chunk) => void (report.served += chunk.length),
});
const first = files.client(listener.port);
while (report.opened < 1) engine.turn();

// Two are in the backlog when the last descriptor is taken.
files.client(listener.port);
files.client(listener.port);
const fillers: number[] = [];
for (;;) {
  const fd = eventfd(0, EFD_CLOEXEC);
  if (fd === -EMFILE) break;
  fillers.push(check(fd, "eventfd"));
}
const refusals = () =>
  kernel.named("accept4").filter(({ result }) => result === -EMFILE).length;
kernel.reset();
const start = systemCalls.now();
while (refusals() < 3) {
  if (refusals() === 1 && report.served === 0) put(first);
  engine.turn();
}
report.refused = refusals();
report.shortMs = systemCalls.now() - start;
report.waits = kernel.count("epoll_wait") + kernel.count("epoll_pwait2");

for (const fd of fillers) files.close(fd);
files.client(listener.port);
while (report.opened < 4) engine.turn();
console.log(JSON.stringify(report));
