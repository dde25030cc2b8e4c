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

/** One of those that are compared. */
export interface Peer {
  name: string;
  /** What it is, for a reader who does not know the name. */
  label: string;
  /** Measures it once. */
  takeTurn(context: Context): Promise<Sample>;
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
  /** What a turn takes, beside its warm-up and measuring, in seconds. */
  extraSeconds: number;
  /** How often a turn warms up and measures. */
  measurings: number;
  candidates(tools: Tools): Candidate[];
}
