/** The names that sockets are bound to, and who is to be found under them. */
import { EADDRINUSE } from "../../ffi/errno_codes.ts";
import type { SocketAddress } from "../../ffi/sockaddr.ts";
import type { Clock } from "./clock.ts";
import type { Socket } from "./socket.ts";

/** The first of the ports that bind(2) chooses from. */
const PORT_FIRST = 32_768;
const PORT_LAST = 60_999;
const WILDCARDS = { ipv4: "0.0.0.0", ipv6: "::" };

/** The network of a simulated machine: its loopback address and unix names. */
export class Network {
  readonly clock: Clock;
  /** Which of several listeners of a port takes a connection. */
  readonly choose: (bound: number) => number;
  readonly #bound = new Map<string, Socket[]>();
  #port = PORT_FIRST;
  #autobound = 0;

  constructor(clock: Clock, choose: (bound: number) => number) {
    this.clock = clock;
    this.choose = choose;
  }

  /** Binds a socket; returns its whole address, or -EADDRINUSE. */
  bind(socket: Socket, wanted: SocketAddress): SocketAddress | number {
    const address = this.#complete(socket, wanted);
    const key = keyOf(socket.type, address);
    const others = this.#bound.get(key) ?? [];
    const shared = socket.reusesPort && others.every((one) => one.reusesPort);
    if (others.length > 0 && !shared) return -EADDRINUSE;
    this.#bound.set(key, [...others, socket]);
    return address;
  }

  /** Forgets a socket's name. */
  unbind(socket: Socket): void {
    const key = keyOf(socket.type, socket.local);
    const left = this.#bound.get(key)?.filter((one) => one !== socket) ?? [];
    if (left.length > 0) this.#bound.set(key, left);
    else this.#bound.delete(key);
  }

  /** The sockets of a type that are bound to an address. */
  find(type: number, address: SocketAddress): readonly Socket[] {
    const exact = this.#bound.get(keyOf(type, address));
    if (exact !== undefined || !("port" in address)) return exact ?? [];
    const host = WILDCARDS[address.family];
    return this.#bound.get(keyOf(type, { ...address, host })) ?? [];
  }

  /** Removes the name of a path; false if there is none. The socket stays. */
  unlink(path: string): boolean {
    return [...this.#bound.keys()]
      .filter((key) => key.endsWith(`:unix:${path}`))
      .map((key) => this.#bound.delete(key)).length > 0;
  }

  #complete(socket: Socket, wanted: SocketAddress): SocketAddress {
    if (wanted.family === "unix-unnamed") {
      const name = (this.#autobound++).toString(16).padStart(5, "0");
      return { family: "unix-abstract", name };
    }
    if (!("port" in wanted) || wanted.port !== 0) return wanted;
    for (;;) {
      const address = { ...wanted, port: this.#port++ };
      if (this.#port > PORT_LAST) this.#port = PORT_FIRST;
      if (!this.#bound.has(keyOf(socket.type, address))) return address;
    }
  }
}

function keyOf(type: number, address: SocketAddress): string {
  switch (address.family) {
    case "unix":
      return `${type}:unix:${address.path}`;
    case "unix-abstract":
      return `${type}:abstract:${address.name}`;
    case "unix-unnamed":
      return `${type}:unnamed`;
    default:
      return `${type}:${address.family}:${address.host}:${address.port}`;
  }
}
