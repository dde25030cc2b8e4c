/** Where a program of system calls runs: the kernel, or the simulated one. */
import {
  epoll_create1,
  epoll_wait,
  EpollEvents,
  type SystemCalls,
  systemCalls,
} from "../../ffi/mod.ts";
import { openDescriptors, test } from "../support/descriptors.ts";
import { Kernel, type KernelOptions } from "./kernel.ts";

/** A kernel to run programs on, which make their peers by its calls too. */
export interface World extends Disposable {
  readonly name: "simulated" | "real";
  readonly calls: SystemCalls;
  /** Lets time pass, at least so many milliseconds. */
  elapse(ms: number): void;
  /** How many descriptors are open that were not at the start. */
  descriptors(): number;
  /** Closes what is left open. Fails for the simulated one if there is any. */
  close(): void;
}

/** The simulated kernel. */
export class SimulatedWorld implements World {
  readonly name = "simulated";
  readonly kernel: Kernel;
  readonly calls: SystemCalls;

  constructor(options: KernelOptions) {
    this.kernel = new Kernel(options);
    this.calls = this.kernel.calls;
  }

  elapse(ms: number): void {
    const { clock } = this.kernel;
    clock.advanceTo(clock.after(ms));
  }

  descriptors(): number {
    return this.kernel.descriptors.open;
  }

  close(): void {
    const { numbers } = this.kernel.descriptors;
    for (const fd of numbers) this.kernel.descriptors.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The machine's kernel. */
class RealWorld implements World {
  readonly name = "real";
  readonly calls = systemCalls;
  readonly #before = openDescriptors().size;

  elapse(ms: number): void {
    const epfd = epoll_create1();
    const { words } = new EpollEvents(1);
    epoll_wait(epfd, words, 1, Math.ceil(ms));
    systemCalls.close(epfd);
  }

  descriptors(): number {
    return openDescriptors().size - this.#before;
  }

  close(): void {}

  [Symbol.dispose](): void {}
}

/** A simulated kernel with nothing open; the same seed gives the same faults. */
export function simulatedWorld(options: KernelOptions): SimulatedWorld {
  return new SimulatedWorld(options);
}

/** The kernel of this machine. */
export function realWorld(): World {
  return new RealWorld();
}

/** A test on both kernels, at the end of which nothing may be left open. */
export function worldTest(name: string, run: (world: World) => void): void {
  for (const make of [() => simulatedWorld({ seed: 1 }), realWorld]) {
    test(`${name} (${make().name})`, () => {
      using world = make();
      run(world);
      // Those of the real one are checked around every test.
      if (world.name === "real") return;
      const left = world.descriptors();
      if (left !== 0) throw new Error(`${left} descriptors are left open`);
    });
  }
}
