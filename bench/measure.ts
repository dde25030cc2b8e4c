/**
 * What a process has used, by the kernel's own accounting.
 *
 * The scheduler knows the CPU time of each thread to the nanosecond. How it
 * divides into user and system mode is sampled at the timer tick, so the split
 * needs windows of seconds: at 250 ticks a second, a share of 5 % over 3 s is 38
 * samples, good to about 16 %.
 */

/** What a process used up to a moment. */
export interface Usage {
  cpuNs: number;
  userTicks: number;
  systemTicks: number;
}

/** CPU time between two moments, in seconds. */
export interface CpuTime {
  userSeconds: number;
  systemSeconds: number;
}

/** In /proc a tick is 10 ms, whatever the kernel's own is. */
const TICK_NS = 10_000_000;

/** What the process has used so far, in all its threads. */
export function usage(pid: number): Usage {
  const fields = statFields(pid);
  const userTicks = Number(fields[14 - 3]);
  const systemTicks = Number(fields[15 - 3]);
  const cpuNs = threadsNs(pid) ?? (userTicks + systemTicks) * TICK_NS;
  return { cpuNs, userTicks, systemTicks };
}

/** The CPU time between two readings. */
export function cpuBetween(before: Usage, after: Usage): CpuTime {
  const userTicks = after.userTicks - before.userTicks;
  const systemTicks = after.systemTicks - before.systemTicks;
  const seconds = (after.cpuNs - before.cpuNs) / 1e9;
  const userShare = userTicks / Math.max(1, userTicks + systemTicks);
  return {
    userSeconds: seconds * userShare,
    systemSeconds: seconds * (1 - userShare),
  };
}

/** The CPU time of this process and of its children that have ended. */
export function familySeconds(): number {
  const ticks = statFields(Deno.pid).slice(14 - 3, 18 - 3).map(Number);
  return ticks.reduce((sum, ticks) => sum + ticks) * TICK_NS / 1e9;
}

/**
 * The seconds that cores were not idle since the machine started, whoever used
 * them, a hypervisor's other guests included.
 */
export function busySeconds(cores: number[]): number {
  const stat = Deno.readTextFileSync("/proc/stat");
  let ticks = 0;
  for (const core of new Set(cores)) {
    const line = stat.match(new RegExp(`^cpu${core} (.*)$`, "m"))?.[1] ?? "";
    const [user, nice, system, , , irq, softirq, steal] = line.split(" ")
      .map(Number);
    ticks += user + nice + system + irq + softirq + steal;
  }
  return ticks * TICK_NS / 1e9;
}

/** Memory that the process has in RAM, in KiB. */
export function residentKiB(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/^VmRSS:\s*(\d+) kB$/m)?.[1] ?? NaN);
}

/** What /proc says of a process, from the third field on. */
function statFields(pid: number): string[] {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** The exact sum over the threads; null where the kernel does not keep it. */
function threadsNs(pid: number): number | null {
  let sum = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const path = `/proc/${pid}/task/${name}/schedstat`;
      sum += Number(Deno.readTextFileSync(path).split(" ")[0]);
    } catch {
      // The thread has ended, or the kernel has no such file.
    }
  }
  return sum > 0 ? sum : null;
}
