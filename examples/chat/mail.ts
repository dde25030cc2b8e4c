/** The way from the room to one worker. */
import type { Outbox } from "../../mod.ts";
import { toJson } from "../workers/json.ts";
import type { Notice } from "./room.ts";

const MISSED = toJson(
  { to: null, line: "* Some lines are missing here" } satisfies Notice,
);

/** Sends without waiting: a worker that is too far behind misses lines. */
export class Mail {
  #missed = false;

  constructor(readonly outbox: Outbox) {}

  /** Sends a notice; before it, if some were missed, that they were. */
  send(notice: Uint8Array): void {
    if (this.#missed && this.outbox.post(MISSED) === "full") return;
    this.#missed = this.outbox.post(notice) === "full";
  }
}
