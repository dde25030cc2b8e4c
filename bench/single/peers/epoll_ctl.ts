/**
 * 1,000 descriptors whose interest changes each time: an epoll_ctl for each, one
 * by one, in a bare FFI loop. With `?twice` each is changed and changed back.
 */
import {
  check,
  EFD_CLOEXEC,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  eventfd,
} from "../../../ffi/mod.ts";
import type { Work } from "../work.ts";

const DESCRIPTORS = 1000;

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
});

// struct epoll_event is packed on x86-64: events, then the data's two words.
const [eventWords, dataWord] = Deno.build.arch === "x86_64" ? [3, 1] : [4, 2];
const change = new Int32Array(eventWords);
const epfd = check(libc.epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
const changes = new URL(import.meta.url).searchParams.has("twice") ? 2 : 1;
const fds = Array.from(
  { length: DESCRIPTORS },
  () => check(eventfd(0, EFD_CLOEXEC), "eventfd"),
);
let writes = false;

function control(operation: number): void {
  change[0] = EPOLLIN | EPOLLRDHUP | EPOLLET | (writes ? EPOLLOUT : 0);
  for (let index = 0; index < DESCRIPTORS; index++) {
    change[dataWord] = index;
    libc.epoll_ctl(epfd, operation, fds[index], change);
  }
}

control(EPOLL_CTL_ADD);

export const work: Work = {
  operations: DESCRIPTORS,
  run() {
    for (let count = 0; count < changes; count++) {
      writes = !writes;
      control(EPOLL_CTL_MOD);
    }
    return DESCRIPTORS * changes;
  },
};
