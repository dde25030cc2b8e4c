/** A worker that posts in bursts, until it is done, or is ended from outside. */
import { type InboxAddress, Outbox, SystemError } from "../../mod.ts";
import { MessageMaker } from "../stress/messages.ts";
import { type PosterOrder, SIZES } from "./reports.ts";

const BURST = 64;

interface Scope {
  onmessage: ((event: MessageEvent<PosterOrder>) => void) | null;
  close(): void;
}

const scope = globalThis as unknown as Scope;

async function post(order: PosterOrder): Promise<void> {
  const { address, stream, messages, closes, posted } = order;
  const maker = new MessageMaker(SIZES);
  const outbox = open(address);
  Atomics.store(posted, stream, 0);
  for (let number = 0; outbox !== null && number < messages; number++) {
    const message = maker.make(stream, number);
    while (outbox.post(message) === "full") await pause();
    Atomics.store(posted, stream, number + 1);
    if (number % BURST === 0) await pause();
  }
  if (closes) outbox?.close();
  scope.close();
}

/** Null where there is no lane, or no descriptor, for now. */
function open(address: InboxAddress): Outbox | null {
  try {
    return new Outbox(address);
  } catch (error) {
    const taken = String(error).includes("sendersMax");
    if (taken || error instanceof SystemError) return null;
    throw error;
  }
}

/** In which the worker can be ended. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

scope.onmessage = ({ data }) => void post(data);
