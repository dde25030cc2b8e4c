/** What a workload is, whatever it loads. */
import type { Column, Figure } from "./figures.ts";
import type { Cores } from "./machine.ts";
import type { Tools } from "./tools.ts";

/** How long a turn takes. */
export interface Durations {
  warmupSeconds: number;
  seconds: number;
}

/** What every turn may use. */
export interface Context extends Durations {
  tools: Tools;
  cores: Cores;
}

/** What a turn gives: figures by name. */
export type Sample = Record<string, number>;

/** A peer that is there to be measured, as often as wanted. */
export interface Subject extends AsyncDisposable {
  measure(context: Context): Promise<Sample>;
}

/** One of those that are compared. */
export interface Peer {
  name: string;
  /** What it is, for a reader who does not know the name. */
  label: string;
  /** Starts it, and warms it up. */
  open(context: Context): Promise<Subject>;
  /** Figures that are looked at once and apart, as looking slows it down. */
  count?(context: Context): Promise<Sample>;
}

/** One of those that might be compared: null if its program is not here. */
export interface Candidate {
  name: string;
  peer: Peer | null;
}

/** A bound on a figure of a peer. */
export interface Target {
  peer: string;
  figure: Figure;
  /** The peer that it is compared with, round by round; without, by itself. */
  of?: string;
  /** How it is compared; by the ratio if nothing is said. */
  by?: "ratio" | "difference";
  atLeast?: number;
  atMost?: number;
}

/** One load, given to each peer in turn. */
export interface Workload {
  name: string;
  title: string;
  columns: Column[];
  /** What a chart of it shows. */
  charted: Figure[];
  targets: Target[];
  /** Times as long as asked for: a small share of user CPU takes long to be known. */
  longer?: number;
  /** Into what a round is cut, so that peers take turns within it. */
  sliceSeconds: number;
  /** How long one peer's part of a round takes. */
  partSeconds(durations: Durations): number;
  candidates(tools: Tools): Candidate[];
}

/** `open` of a peer that starts anew, and warms up, whenever it is measured. */
export function anew(measure: Subject["measure"]): Peer["open"] {
  return () =>
    Promise.resolve({
      measure,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
}

/** What workloads of such peers have in common, but for what starting takes. */
export function uncut(
  extraSeconds: number,
): Pick<Workload, "sliceSeconds" | "partSeconds"> {
  return {
    sliceSeconds: Infinity,
    partSeconds: ({ warmupSeconds, seconds }) =>
      warmupSeconds + seconds + extraSeconds,
  };
}

/** How many slices a round has. */
export function countSlices(
  { sliceSeconds }: Workload,
  { seconds }: Durations,
): number {
  return Math.max(1, Math.round(seconds / sliceSeconds));
}
