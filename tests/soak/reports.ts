/** What the processes of a soak tell one another, lines of JSON, and its workers. */
import type { InboxAddress } from "../../mod.ts";

/** A listener that clients may use. */
export interface Target {
  port: number;
  /** Whether it never ends a connection by itself. */
  strict: boolean;
}

/** What a server tells of itself. */
export interface ServerReport {
  connections: number;
  opened: number;
  timers: number;
  posts: number;
  postersEnded: number;
  signals: number;
  exhaustions: number;
  /** Times that accepting failed, or clients were turned away. */
  turnedAway: number;
  descriptors: number;
  residentMib: number;
  /** What went wrong, so far. */
  violations: string[];
}

/** What the clients tell. */
export interface ClientsReport {
  open: number;
  ended: number;
  /** All came back, and then the end. */
  exact: number;
  resets: number;
  /** Ended by a server that may. */
  cutOff: number;
  bytes: number;
  violations: string[];
}

/** What a process tells: which of its states it has come to, and figures. */
export type Message<Report> =
  | { state: "ready"; targets: Target[] }
  | { state: "signalled"; signals: number }
  | { state: "running" | "calm" | "ended"; report: Report };

/** What the processes are told, one word a line. */
export type Order = "calm" | "end";

/** Says something to the process that started this one. */
export function tell<Report>(message: Message<Report>): void {
  console.log(JSON.stringify(message));
}

/** What a poster is told. */
export interface PosterOrder {
  address: InboxAddress;
  /** The number of its stream, and its place in `posted`. */
  stream: number;
  messages: number;
  /** Whether it closes its outbox when it is done. */
  closes: boolean;
  /** For each stream how many messages were sent; -1: not begun. */
  posted: Int32Array<SharedArrayBuffer>;
}

/** What all posters and their receiver agree on. */
export const SIZES = { messageMax: 2048, shortest: 8 } as const;
