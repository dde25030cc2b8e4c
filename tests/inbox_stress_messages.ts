/** What `inbox_stress.ts` and its workers agree on. */
import type { InboxAddress } from "../src/mailbox.ts";

/** What each worker gets. */
export interface Assignment {
  address: InboxAddress;
  sender: number;
  /** Outboxes that it opens, one after another. */
  sessions: number;
  /** Messages that it posts through each. */
  posts: number;
}

/** Words at the start of a message: the sender, its session, the message's number, those to come. */
const HEADER_WORDS = 4;
export const HEADER_BYTES = 4 * HEADER_WORDS;
export const MESSAGE_MAX = 512;

/** Mostly short, some long; depends on the number alone. */
export function lengthOf(number: number): number {
  const mixed = Math.imul(number + 1, 0x9e3779b1) >>> 8;
  const spread = mixed % 16 === 0 ? MESSAGE_MAX - HEADER_BYTES : 80;
  return HEADER_BYTES + mixed % (spread + 1);
}

/** The byte that the rest of a message is filled with. */
export function fillOf(sender: number, number: number): number {
  return (sender * 31 + number) & 0xff;
}
