/**
 * Descriptors to register, each with the other end of what it stands for. All
 * of it goes through a world's calls, faults included.
 */
import {
  AF_INET,
  AF_UNIX,
  EAGAIN,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EINTR,
  encodeAddress,
  F_DUPFD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";

/** What a descriptor can be. */
export const KINDS = [
  "pipeReader",
  "pipeWriter",
  "eventfd",
  "unix",
  "tcp",
] as const;

/** One of them. */
export type Kind = typeof KINDS[number];

/** A descriptor, and its peer's. */
export interface Ends {
  readonly fd: number;
  /** -1 once it is closed. */
  peer: number;
}

const NONBLOCKING = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
/** A loaded machine may take a while to have a connection in the backlog. */
const TRIES_MAX = 1_000_000;

/** Calls again while interrupted. */
export function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -EINTR) return result;
  }
}

/** Opens a descriptor of a kind with its peer, or null where the kernel refuses. */
export function openEnds(calls: SystemCalls, kind: Kind): Ends | null {
  switch (kind) {
    case "pipeReader":
    case "pipeWriter": {
      const pair = new Int32Array(2);
      if (calls.pipe2(pair, O_NONBLOCK | O_CLOEXEC) < 0) return null;
      const [reader = -1, writer = -1] = pair;
      return kind === "pipeReader"
        ? { fd: reader, peer: writer }
        : { fd: writer, peer: reader };
    }
    case "eventfd": {
      const fd = calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
      if (fd < 0) return null;
      const peer = calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (peer >= 0) return { fd, peer };
      calls.close(fd);
      return null;
    }
    case "unix":
    case "tcp":
      return socketPair(calls, kind);
  }
}

function socketPair(calls: SystemCalls, kind: "unix" | "tcp"): Ends | null {
  const domain = kind === "tcp" ? AF_INET : AF_UNIX;
  const listener = calls.socket(domain, NONBLOCKING, 0);
  if (listener < 0) return null;
  const name = encodeAddress(
    kind === "tcp"
      ? { family: "ipv4", host: "127.0.0.1", port: 0 }
      : { family: "unix-unnamed" },
  );
  const bound = new Uint8Array(128);
  const ready = calls.bind(listener, name) >= 0 &&
    calls.listen(listener, 8) >= 0;
  const length = ready ? calls.getsockname(listener, bound) : -1;
  const peer = length < 0 ? -1 : calls.socket(domain, NONBLOCKING, 0);
  let fd = -1;
  if (peer >= 0) {
    calls.connect(peer, bound.subarray(0, length));
    fd = accepted(calls, listener);
  }
  calls.close(listener);
  if (fd >= 0) return { fd, peer };
  if (peer >= 0) calls.close(peer);
  return null;
}

function accepted(calls: SystemCalls, listener: number): number {
  for (let tries = 0;; tries++) {
    const fd = uninterrupted(() =>
      calls.accept4(listener, SOCK_NONBLOCK | SOCK_CLOEXEC)
    );
    if (fd !== -EAGAIN || tries === TRIES_MAX) return fd;
  }
}

/** Closes the peer, unless it is. */
export function closePeer(calls: SystemCalls, ends: Ends): void {
  if (ends.peer >= 0) calls.close(ends.peer);
  ends.peer = -1;
}
