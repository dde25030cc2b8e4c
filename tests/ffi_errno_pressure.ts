/**
 * Failing calls of every kind while the garbage collector works. As a program
 * it prints how many gave the wrong error number, as a worker it posts it.
 */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import * as c from "../ffi/mod.ts";

/** How many calls gave another error number than their own. */
export function countWrongErrnos(rounds: number): number {
  const bytes = new Uint8Array(16);
  const events = new c.EpollEvents(1);
  const pair = new Int32Array(2);
  c.check(c.pipe2(pair, c.O_NONBLOCK | c.O_CLOEXEC), "pipe2");
  const [reader, writer] = pair;
  const epfd = c.check(c.epoll_create1(c.EPOLL_CLOEXEC), "epoll_create1");
  let garbage: unknown[] = [];
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    garbage.push([new Array(16).fill(round), new Uint8Array(128), `${round}`]);
    if (garbage.length > 5_000) garbage = [];
    if (c.read(reader, bytes) !== -c.EAGAIN) wrong++;
    if (c.write(reader, bytes) !== -c.EBADF) wrong++;
    if (c.recv(reader, bytes) !== -c.ENOTSOCK) wrong++;
    if (c.epoll_ctl(epfd, c.EPOLL_CTL_DEL, writer, null) !== -c.ENOENT) wrong++;
    if (c.epoll_wait(epfd, events.words, 0, 0) !== -c.EINVAL) wrong++;
    if (c.epoll_pwait2(-1, events.words, 1, 0) !== -c.EBADF) wrong++;
    if (c.writev(reader, [bytes, bytes]) !== -c.EBADF) wrong++;
    if (c.ioctl(writer, 0, bytes) !== -c.ENOTTY) wrong++;
    if (c.kill(0, 65) !== -c.EINVAL) wrong++;
  }
  c.close(epfd);
  c.close(writer);
  c.close(reader);
  return wrong;
}

if (parentPort !== null) {
  parentPort.postMessage(countWrongErrnos(workerData));
} else if (import.meta.main) {
  console.log(countWrongErrnos(Number(process.argv[2])));
}
