/** Reading and writing a registered descriptor and its peer, noted in the model. */
import { EAGAIN } from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";
import { closePeer, type Ends, uninterrupted } from "./descriptor_ends.ts";
import type { Subject } from "./subject.ts";

const FILL_MAX = 200;

const scratch = new Uint8Array(65536);
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
/** What fills a counter. */
const most = new Uint8Array(BigUint64Array.of(0xfffffffffffffffen).buffer);

/** Reads once. Returns the result, -EAGAIN for what can't be read at all. */
export function readSome(subject: Subject): number {
  if (subject.kind === "pipeWriter") return -EAGAIN;
  const count = uninterrupted(() => subject.event.read(scratch));
  if (count === -EAGAIN) subject.wouldBlock("read");
  else if (subject.kind !== "eventfd") subject.isTaken(count);
  else if (count > 0) {
    subject.isTaken(Infinity);
    subject.hasRoom();
  }
  return count;
}

/** Reads until there is nothing now. Returns the last result. */
export function readAll(subject: Subject): number {
  let count = 1;
  while (count > 0) count = readSome(subject);
  return count;
}

/** Writes a little. */
export function writeOne(subject: Subject): void {
  if (subject.kind !== "pipeReader") write(subject, one);
}

/** Writes until there is no room. */
export function fill(subject: Subject): void {
  // Over TCP it is up to two buffers and the time when there is room again.
  if (subject.kind === "pipeReader" || subject.kind === "tcp") return;
  const bytes = subject.kind === "eventfd" ? most : scratch;
  for (let count = 0; count < FILL_MAX; count++) {
    if (write(subject, bytes) <= 0) return;
  }
}

function write(subject: Subject, bytes: Uint8Array): number {
  const count = uninterrupted(() => subject.event.write(bytes));
  if (count === -EAGAIN) subject.wouldBlock("write");
  // A counter is its own peer.
  else if (subject.kind === "eventfd") subject.hasArrived(count);
  return count;
}

/** The peer writes a little. Returns the bytes written. */
export function peerWrites(calls: SystemCalls, { peer }: Ends): number {
  if (peer < 0) return 0;
  return Math.max(0, uninterrupted(() => calls.write(peer, one)));
}

/** The peer reads until there is nothing. */
export function peerDrains(calls: SystemCalls, subject: Subject): void {
  const { peer } = subject.ends;
  if (peer < 0) return;
  while (uninterrupted(() => calls.read(peer, scratch)) > 0);
  subject.hasRoom();
  if (subject.kind === "eventfd") subject.isTaken(Infinity);
}

/** The peer is closed, which is told. */
export function peerCloses(calls: SystemCalls, subject: Subject): void {
  if (subject.ends.peer < 0) return;
  closePeer(calls, subject.ends);
  if (subject.kind === "eventfd") return;
  if (subject.kind !== "pipeWriter") subject.hasEnded();
  // Writing is pointless from here on, which is told, too.
  if (subject.kind !== "pipeReader") subject.hasRoom();
}
