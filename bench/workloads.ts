/** Everything that is measured. */
import { postWorkloads } from "./post/workloads.ts";
import { serverWorkloads } from "./server/workloads.ts";
import { singleWorkloads } from "./single/workloads.ts";
import { startWorkload } from "./start/workloads.ts";
import { streamWorkloads } from "./streams/workloads.ts";
import type { Workload } from "./workload.ts";

/** What is measured when nothing else is asked for. */
export const DEFAULT_WORKLOAD = "echo-64-50";

/** Every workload. */
export const workloads: readonly Workload[] = [
  ...serverWorkloads,
  ...postWorkloads,
  ...singleWorkloads,
  startWorkload,
  ...streamWorkloads,
];
