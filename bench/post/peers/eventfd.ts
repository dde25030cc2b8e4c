/**
 * The bare ping-pong: write(2) on the other's eventfd, read(2) on one's own,
 * which blocks, or epoll_wait(2) on one that is edge-triggered.
 */
import {
  check,
  EFD_CLOEXEC,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLLET,
  EPOLLIN,
} from "../../../ffi/mod.ts";
import { Meter } from "../../meter.ts";
import { takePart } from "../part.ts";

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
});

const waitsByEpoll = new URL(import.meta.url).searchParams.has("epoll");
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const counter = new Uint8Array(8);

interface Pair {
  ping: number;
  pong: number;
}

/** A function that waits until `fd` is written. */
function waiter(fd: number): () => void {
  if (!waitsByEpoll) return () => void libc.read(fd, counter, 8);
  const epfd = check(libc.epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  const events = new Int32Array(4 * 512);
  events[0] = EPOLLIN | EPOLLET;
  check(libc.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, events), "epoll_ctl");
  return () => void libc.epoll_wait(epfd, events, 512, -1);
}

function eventfd(): number {
  return check(libc.eventfd(0, EFD_CLOEXEC), "eventfd");
}

let pair: Pair;

takePart({
  hub() {
    pair = { ping: eventfd(), pong: eventfd() };
    return { links: [pair] };
  },

  goHub(order, _, done) {
    const meter = new Meter(order, 16);
    const wait = waiter(pair.ping);
    do {
      libc.write(pair.pong, one, 8);
      wait();
    } while (meter.add());
    if (meter.count !== null) done(meter.count);
  },

  other({ link }) {
    const { ping, pong } = link as Pair;
    const wait = waiter(pong);
    return {
      link: null,
      go() {
        for (;;) {
          wait();
          libc.write(ping, one, 8);
        }
      },
    };
  },
});
