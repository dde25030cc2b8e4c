/** The simulated kernel's clock: it stands still until it is told to go on. */

/** Something that happens at a time. */
export interface Alarm {
  readonly atNs: number;
  readonly run: () => void;
}

/** Nanoseconds of a millisecond. */
const NS_PER_MS = 1e6;

/** A clock in whole nanoseconds, with what is to happen when. */
export class Clock {
  #nowNs = 1_000 * NS_PER_MS;
  /** By time; equal ones in the order in which they were set. */
  readonly #alarms: Alarm[] = [];

  /** Milliseconds, with a fraction. */
  get nowMs(): number {
    return this.#nowNs / NS_PER_MS;
  }

  get nowNs(): number {
    return this.#nowNs;
  }

  /** The time of the next alarm; Infinity if there is none. */
  get nextNs(): number {
    return this.#alarms[0]?.atNs ?? Infinity;
  }

  /** Has `run` called when the time comes; a time that is past comes at once. */
  set(atNs: number, run: () => void): Alarm {
    const alarm = { atNs: Math.max(atNs, this.#nowNs), run };
    const later = this.#alarms.findIndex(({ atNs }) => atNs > alarm.atNs);
    this.#alarms.splice(later < 0 ? this.#alarms.length : later, 0, alarm);
    return alarm;
  }

  cancel(alarm: Alarm): void {
    const index = this.#alarms.indexOf(alarm);
    if (index >= 0) this.#alarms.splice(index, 1);
  }

  /** Goes on to a time, past the alarms on the way. */
  advanceTo(timeNs: number): void {
    while (this.nextNs <= timeNs) {
      const alarm = this.#alarms.shift() as Alarm;
      this.#nowNs = alarm.atNs;
      alarm.run();
    }
    this.#nowNs = Math.max(this.#nowNs, timeNs);
  }

  /** The time that is so many milliseconds from now, rounded up. */
  after(ms: number): number {
    return this.#nowNs + Math.ceil(ms * NS_PER_MS);
  }
}
