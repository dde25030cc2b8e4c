/** Where bare peers are: those that connect, and those that are connected to. */
import {
  AF_INET,
  AF_UNIX,
  check,
  decodeAddress,
  EAGAIN,
  EFD_CLOEXEC,
  EINPROGRESS,
  encodeAddress,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type SocketAddress,
} from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";
import { uninterrupted } from "./descriptor_ends.ts";
import { RawPeer } from "./raw_peer.ts";

const ADDRESS_BYTES = 128;
/** A loaded machine may take a while to have a connection in the backlog. */
const TRIES_MAX = 1_000_000;
const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

let names = 0;

/** The bare sockets of one run. */
export class PeerNetwork {
  /** Where an engine connects to; and where it finds nobody. */
  readonly place: { port: number } | { path: string };
  readonly nobody: { port: number } | { path: string };
  readonly #calls: SystemCalls;
  readonly #family: "tcp" | "unix";
  readonly #listener: number;
  readonly #idle: number;
  readonly #peers: RawPeer[] = [];
  readonly #byName = new Map<string, RawPeer>();

  constructor(calls: SystemCalls, family: "tcp" | "unix") {
    this.#calls = calls;
    this.#family = family;
    this.#listener = this.#bound();
    check(calls.listen(this.#listener, 16), "listen");
    this.#idle = this.#bound();
    this.place = placeOf(this.#nameOf(this.#listener));
    this.nobody = placeOf(this.#nameOf(this.#idle));
  }

  /** A name for a unix socket that nothing else has. */
  newPath(): string {
    return `\0model-${Deno.pid}-net-${++names}`;
  }

  /** Connects to a listener; null where the kernel refuses. */
  connect(address: SocketAddress, stream: number): RawPeer | null {
    const fd = this.#socket();
    if (fd < 0) return null;
    if (this.#family === "unix") this.#bind(fd);
    const result = this.#calls.connect(fd, encodeAddress(address));
    if (result < 0 && result !== -EINPROGRESS) {
      this.#calls.close(fd);
      return null;
    }
    return this.#add(fd, stream, JSON.stringify(this.#nameOf(fd)));
  }

  /** Takes a descriptor, to give it back to who needs one; negative if there is none. */
  reserve(): number {
    return this.#calls.eventfd(0, EFD_CLOEXEC);
  }

  giveBack(reserve: number): void {
    this.#calls.close(reserve);
  }

  /** Accepts what the engine connects; null where there is nothing. */
  accept(stream: number): RawPeer | null {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const fd = uninterrupted(() =>
        this.#calls.accept4(this.#listener, FLAGS)
      );
      if (fd >= 0) return this.#add(fd, stream, null);
      if (fd !== -EAGAIN) return null;
    }
    return null;
  }

  /** The peer that has a name. */
  owner(address: SocketAddress | null): RawPeer | null {
    return this.#byName.get(JSON.stringify(address)) ?? null;
  }

  /** Closes all of it. */
  close(): void {
    for (const peer of this.#peers) peer.close();
    this.#calls.close(this.#listener);
    this.#calls.close(this.#idle);
  }

  #add(fd: number, stream: number, name: string | null): RawPeer {
    const peer = new RawPeer(this.#calls, fd, stream);
    this.#peers.push(peer);
    if (name !== null) this.#byName.set(name, peer);
    return peer;
  }

  #bound(): number {
    const fd = check(this.#socket(), "socket");
    this.#bind(fd);
    return fd;
  }

  #bind(fd: number): void {
    const address: SocketAddress = this.#family === "tcp"
      ? { family: "ipv4", host: "127.0.0.1", port: 0 }
      : { family: "unix-unnamed" };
    check(this.#calls.bind(fd, encodeAddress(address)), "bind");
  }

  #socket(): number {
    const domain = this.#family === "tcp" ? AF_INET : AF_UNIX;
    return this.#calls.socket(domain, SOCK_STREAM | FLAGS, 0);
  }

  #nameOf(fd: number): SocketAddress {
    const bytes = new Uint8Array(ADDRESS_BYTES);
    return decodeAddress(bytes, this.#calls.getsockname(fd, bytes));
  }
}

function placeOf(address: SocketAddress): { port: number } | { path: string } {
  if ("port" in address) return { port: address.port };
  return { path: "name" in address ? `\0${address.name}` : "" };
}
