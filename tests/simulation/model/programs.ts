/** The programs that are run against the model. */
import { type Program, program } from "./explore.ts";
import { ConnectionRun } from "./connection_program.ts";
import { connectionScenarios } from "./connection_steps.ts";
import { DescriptorRun } from "./descriptor_program.ts";
import { descriptorScenarios } from "./descriptor_steps.ts";
import { PostRun } from "./post_program.ts";
import { postScenarios } from "./post_steps.ts";
import { SignalRun } from "./signal_program.ts";
import { signalScenarios } from "./signal_steps.ts";
import { TimerRun } from "./timer_program.ts";
import { timerScenarios } from "./timer_steps.ts";

/** All of them. */
export const PROGRAMS: readonly Program[] = [
  program(
    "descriptors",
    descriptorScenarios,
    (scenario, world, trial) => new DescriptorRun(scenario, world, trial).run(),
  ),
  program(
    "connections",
    connectionScenarios,
    (scenario, world, trial) => new ConnectionRun(scenario, world, trial).run(),
  ),
  program(
    "timers",
    timerScenarios,
    (scenario, world, trial) => new TimerRun(scenario, world, trial).run(),
  ),
  program(
    "posts",
    postScenarios,
    (scenario, world, trial) => new PostRun(scenario, world, trial).run(),
  ),
  program(
    "signals",
    signalScenarios,
    (scenario, world, trial) => new SignalRun(scenario, world, trial).run(),
  ),
];
