/** getaddrinfo(3) on a thread of its own, which tells by an eventfd. @module */

import type { MessagePort, Worker } from "node:worker_threads";
import { builtin } from "./builtins.ts";
import { cString } from "./arguments.ts";
import { sockaddr_in6 } from "./layout.ts";
import { library } from "./library.ts";
import { EAI_AGAIN, EAI_FAIL, EAI_MEMORY, ENOTFOUND } from "./errno_codes.ts";
import { decodeAddress, type SocketAddress } from "./sockaddr.ts";

/** Addresses taken of one name. */
const ADDRESSES_MAX = 16;
/** A worker that only waits for messages ends much sooner. */
const END_MAX_MS = 1_000;

// The words that both sides see.
const ENDED = 0;
const FAILURE = 1;
const COUNT = 2;
const WORDS = 3;

/** What the worker is given. */
interface LookupData {
  readonly path: string;
  readonly eventfd: number;
  readonly state: Int32Array<SharedArrayBuffer>;
  /** Addresses, each in `addressBytes`. */
  readonly addresses: Uint8Array<SharedArrayBuffer>;
  readonly addressBytes: number;
  readonly words: { ENDED: number; FAILURE: number; COUNT: number };
}

/** What is known of a name. */
export interface LookupResult {
  /** 0, or a number of `errno_codes.ts`. */
  readonly errno: number;
  /** Its addresses, in the order to try them in; their ports are 0. */
  readonly addresses: SocketAddress[];
}

/**
 * A worker that looks names up, one at a time, as the system does: /etc/hosts,
 * then name servers. It keeps no process alive. It loads no module, so that it
 * takes no permission to read one.
 */
export class NameLookup {
  readonly #state = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  readonly #addresses = new Uint8Array(
    new SharedArrayBuffer(ADDRESSES_MAX * sockaddr_in6.size),
  );
  readonly #worker: Worker;
  #busy = false;

  /**
   * Starts the worker, which takes some 15 ms, and does not wait for it.
   *
   * @param eventfd 1 is added to it for each answer. The worker owns it from here
   * on.
   */
  constructor(eventfd: number) {
    const { path, runtime } = library();
    const workerData: LookupData = {
      path,
      eventfd,
      state: this.#state,
      addresses: this.#addresses,
      addressBytes: sockaddr_in6.size,
      words: { ENDED, FAILURE, COUNT },
    };
    const program =
      'import { parentPort, workerData } from "node:worker_threads";' +
      `(${lookUp})(${runtime.openSource}, parentPort, workerData);`;
    const url = `data:text/javascript,${encodeURIComponent(program)}`;
    const { Worker } = builtin("node:worker_threads");
    this.#worker = new Worker(new URL(url), { workerData });
    this.#worker.unref();
  }

  /** Starts to look a name up. One lookup at a time. */
  start(name: string): void {
    this.#busy = true;
    this.#worker.postMessage(cString(name));
  }

  /** The answer to the lookup that was started; the eventfd has told of it. */
  result(): LookupResult {
    this.#busy = false;
    const errno = lookupErrno(this.#state[FAILURE]);
    const count = errno === 0 ? this.#state[COUNT] : 0;
    const addresses = Array.from({ length: count }, (_, index) => {
      const at = index * sockaddr_in6.size;
      return decodeAddress(
        this.#addresses.subarray(at, at + sockaddr_in6.size),
      );
    });
    return { errno, addresses };
  }

  /** Ends the worker, once its lookup is over. */
  stop(): void {
    this.#worker.postMessage(null);
    // A lookup can't be interrupted: that worker ends by itself.
    if (this.#busy) return;
    Atomics.wait(this.#state, ENDED, 0, END_MAX_MS);
    this.#worker.terminate();
  }
}

/** What getaddrinfo(3) returned, as one of our numbers; errnos come as they are. */
function lookupErrno(result: number): number {
  switch (result) {
    case -2: // EAI_NONAME
    case -5: // EAI_NODATA
      return ENOTFOUND;
    case -3: // EAI_AGAIN
      return EAI_AGAIN;
    case -10: // EAI_MEMORY
      return EAI_MEMORY;
    default:
      return result < 0 ? EAI_FAIL : result;
  }
}

/** The worker's program. Its text alone goes there: it knows nothing around it. */
async function lookUp(
  open: (path: string, table: object) => unknown,
  port: MessagePort,
  data: LookupData,
): Promise<void> {
  const { state, addresses, addressBytes, words } = data;
  const buffers = ["buffer", "buffer", "buffer", "buffer"];
  const c = await open(data.path, {
    // int getaddrinfo(const char *node, const char *service,
    //   const struct addrinfo *hints, struct addrinfo **res)
    getaddrinfo: { parameters: buffers, result: "i32" },
    // void freeaddrinfo(struct addrinfo *res)
    freeaddrinfo: { parameters: ["u64"], result: "void" },
    // void *memcpy(void *dest, const void *src, size_t n)
    memcpy: { parameters: ["buffer", "u64", "u64"], result: "void" },
    // int *__errno_location(void)
    __errno_location: { parameters: [], result: "u64" },
    // int eventfd_write(int fd, eventfd_t value)
    eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
    // int close(int fd)
    close: { parameters: ["i32"], result: "i32" },
  }) as {
    getaddrinfo(
      node: Uint8Array,
      service: null,
      hints: Int32Array,
      list: BigUint64Array,
    ): number;
    freeaddrinfo(list: bigint): void;
    memcpy(to: ArrayBufferView, from: bigint, count: bigint): void;
    __errno_location(): bigint;
    eventfd_write(fd: number, value: bigint): number;
    close(fd: number): number;
  };
  const errnoLocation = c.__errno_location();
  const errno = new Int32Array(1);
  // struct addrinfo: flags, family, type (1: a stream), protocol, length of the
  // address; then pointers to the address, a name, and the next.
  const hints = new Int32Array(12);
  hints[2] = 1;
  const entry = new DataView(new ArrayBuffer(48));
  const resolve = (name: Uint8Array) => {
    const list = new BigUint64Array(1);
    const result = c.getaddrinfo(name, null, hints, list);
    if (result === -11) { // EAI_SYSTEM
      c.memcpy(errno, errnoLocation, 4n);
      return errno[0];
    }
    if (result !== 0) return result;
    let count = 0;
    let next = list[0];
    while (next !== 0n && (count + 1) * addressBytes <= addresses.length) {
      c.memcpy(entry, next, 48n);
      const length = Math.min(entry.getUint32(16, true), addressBytes);
      const start = count * addressBytes;
      const place = addresses.subarray(start, start + length);
      c.memcpy(place, entry.getBigUint64(24, true), BigInt(length));
      count++;
      next = entry.getBigUint64(40, true);
    }
    c.freeaddrinfo(list[0]);
    state[words.COUNT] = count;
    return 0;
  };
  port.on("message", (name: Uint8Array | null) => {
    if (name !== null) {
      state[words.FAILURE] = resolve(name);
      c.eventfd_write(data.eventfd, 1n);
      return;
    }
    c.close(data.eventfd);
    Atomics.store(state, words.ENDED, 1);
    Atomics.notify(state, words.ENDED);
    // Nobody else ends a worker that was busy when it was to stop. Bun 1.4 has
    // no close() there, Deno 2.9 goes on without it.
    if ("close" in globalThis) close();
    else port.close();
  });
}
