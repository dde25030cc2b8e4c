/** What makes posting hard, and what the workers of a run are told. */
import type { InboxAddress } from "../../mod.ts";
import type { Sizes } from "./messages.ts";

/** One hardship. */
export interface Scenario extends Sizes {
  readonly name: string;
  readonly laneBytes: number;
  /** Messages after which the receiver stalls; Infinity for never. */
  readonly stallEvery: number;
  readonly stallMs: number;
  /** Whether outboxes are opened anew, and workers replaced. */
  readonly comesAndGoes: boolean;
}

const steady = {
  shortest: 1,
  stallEvery: Infinity,
  stallMs: 0,
  comesAndGoes: false,
} as const;

export const scenarios: readonly Scenario[] = [
  { ...steady, name: "full lanes", laneBytes: 256, messageMax: 256 },
  {
    ...steady,
    name: "slow receiver",
    laneBytes: 16384,
    messageMax: 4096,
    stallEvery: 5000,
    stallMs: 2,
  },
  {
    ...steady,
    name: "senders that come and go",
    laneBytes: 4096,
    messageMax: 1024,
    shortest: 8,
    comesAndGoes: true,
  },
];

/** Posts through each outbox of a sender that comes and goes. */
export const OUTBOX_POSTS = 500;

/** What the receiver is told first. */
export interface ReceiverOrder {
  scenario: Scenario;
  senders: number;
  /** The messages after which it is done. */
  total: number;
  /** The messages that have arrived. */
  progress: Int32Array<SharedArrayBuffer>;
}

/** What the receiver is told once all senders are done: what they sent. */
export type Posted = ReadonlyMap<number, number>;

/** What the receiver answers: first the address, then when it has stopped, then its figures. */
export type ReceiverAnswer =
  | { address: InboxAddress }
  | { stopped: true }
  | { bytes: number; wakeups: number; turns: number }
  | { failure: string };

/** What a sender is told. */
export interface SenderOrder {
  scenario: Scenario;
  address: InboxAddress;
  /** The first of its streams; the next ones follow in steps of `streamStep`. */
  stream: number;
  streamStep: number;
  messages: number;
  /** Whether it leaves its last outbox open when it ends. */
  abandons: boolean;
}

/** What a sender answers: by stream, how many messages it has sent. */
export interface SenderAnswer {
  posted: Map<number, number>;
  /** Posts that found the lane full. */
  full: number;
}
