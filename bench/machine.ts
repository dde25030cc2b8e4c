/** What the benchmark runs on. */

/** The cores that server and client are pinned to. */
export interface Cores {
  server: number;
  client: number;
}

/** What a reader must know to judge the figures. */
export interface Machine {
  processor: string;
  coresOnline: number;
  kernel: string;
  architecture: string;
  deno: string;
  v8: string;
}

/** Describes this machine. */
export function describeMachine(): Machine {
  const model = readText("/proc/cpuinfo").match(/^model name\s*:\s*(.*)$/m);
  return {
    processor: model?.[1] ?? "unknown",
    coresOnline: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    architecture: Deno.build.arch,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}

/**
 * The first core that this process may use for the server; for the client the
 * first that is no hardware thread of the same core. On a machine with one core
 * they are the same.
 */
export function chooseCores(): Cores {
  const status = readText("/proc/self/status");
  const allowed = parseList(
    status.match(/^Cpus_allowed_list:\s*(\S+)$/m)?.[1] ?? "0",
  );
  const server = allowed[0];
  const siblings = parseList(
    readText(
      `/sys/devices/system/cpu/cpu${server}/topology/thread_siblings_list`,
    ).trim() || String(server),
  );
  const client = allowed.find((core) => !siblings.includes(core)) ??
    allowed[1] ?? server;
  return { server, client };
}

/** The cores of this machine. */
export function allCores(): number[] {
  return Array.from(
    { length: navigator.hardwareConcurrency },
    (_, core) => core,
  );
}

/** The numbers in a list such as `0-2,5`. */
function parseList(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
