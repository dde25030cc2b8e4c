/** What this process uses, and how many descriptors it may. */
import process from "node:process";

const RLIMIT_NOFILE = 7;

/** Linux's struct rlimit: the soft limit, then the hard one. */
function limits(): BigUint64Array<ArrayBuffer> {
  const values = new BigUint64Array(2);
  if (libc.symbols.getrlimit(RLIMIT_NOFILE, values) !== 0) {
    throw new Error("getrlimit failed");
  }
  return values;
}

const libc = Deno.dlopen("libc.so.6", {
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
});

/** How many descriptors this process may have. */
export function descriptorLimit(): number {
  return Number(limits()[0]);
}

/** Sets that, up to the hard limit, which stays. */
export function setDescriptorLimit(descriptorsMax: number): void {
  const values = limits();
  values[0] = BigInt(descriptorsMax);
  if (libc.symbols.setrlimit(RLIMIT_NOFILE, values) !== 0) {
    throw new Error(`setrlimit to ${descriptorsMax} failed`);
  }
}

/** The memory that this process has, after what it does not need is gone. */
export function residentMib(): number {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  return process.memoryUsage().rss / 2 ** 20;
}

/** The time that all threads of this process have run for. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
