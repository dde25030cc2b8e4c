/** A simulated kernel: descriptors, a network, a clock, and the calls on them. */
import { generator } from "../support/random.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";
import { Clock } from "./clock.ts";
import { Descriptors } from "./descriptors.ts";
import { epollCalls } from "./epoll_calls.ts";
import { type FaultRates, Faults } from "./faults.ts";
import { fileCalls } from "./file_calls.ts";
import { messageCalls } from "./message_calls.ts";
import { Network } from "./network.ts";
import { socketCalls } from "./socket_calls.ts";
import { unsupportedCalls } from "./unsupported_calls.ts";

/** What a simulated kernel may be told. */
export interface KernelOptions {
  /** The same seed gives the same faults. */
  readonly seed: number;
  readonly faults?: FaultRates;
  /** How many descriptors may be open, 1,024 by default. */
  readonly descriptorsMax?: number;
}

/** A kernel for one process with one thread. */
export class Kernel {
  readonly clock: Clock = new Clock();
  readonly descriptors: Descriptors;
  readonly network: Network;
  readonly faults: Faults;
  /** Calls without faults, for those who are to have none. */
  readonly faultless: SystemCalls;
  /** The calls, faults included. */
  readonly calls: SystemCalls;

  constructor({ seed, faults = {}, descriptorsMax = 1_024 }: KernelOptions) {
    const random = generator(seed);
    this.descriptors = new Descriptors(descriptorsMax);
    this.network = new Network(this.clock, random);
    this.faults = new Faults(faults, random, this.descriptors);
    this.faultless = {
      ...unsupportedCalls,
      ...fileCalls(this),
      ...socketCalls(this),
      ...messageCalls(this),
      ...epollCalls(this),
    };
    this.calls = this.faults.wrap(this.faultless);
  }
}
