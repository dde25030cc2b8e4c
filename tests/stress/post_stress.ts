/**
 * Many workers post messages of mixed sizes into one engine: nothing may be
 * lost, torn, doubled or out of order.
 *
 *     deno run --allow-all tests/stress/post_stress.ts --senders 8 --messages 1000000
 */
import { parseArgs } from "node:util";
import { type InboxAddress, Outbox } from "../../mod.ts";
import {
  type ReceiverAnswer,
  type Scenario,
  scenarios,
  type SenderAnswer,
  type SenderOrder,
} from "./scenarios.ts";

/** Without progress for so long, a wake-up or a message is lost. */
const STUCK_MS = 30_000;

/** Workers that follow one another as one sender that comes and goes. */
const LIVES_MAX = 50;
const LIFE_MESSAGES = 20_000;
const LIVES_MIN = 3;

class Part<Answer> {
  readonly #worker: Worker;

  constructor(module: string) {
    const url = new URL(module, import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
  }

  ask(order: unknown): Promise<Answer> {
    const answer = this.answer();
    this.#worker.postMessage(order);
    return answer;
  }

  answer(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) =>
        "failure" in data ? reject(new Error(data.failure)) : resolve(data);
      this.#worker.onerror = (event) => reject(new Error(event.message));
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}

/** One sender to its end: a worker, or several in turn. */
async function send(
  scenario: Scenario,
  address: InboxAddress,
  sender: number,
  senders: number,
  messages: number,
): Promise<SenderAnswer> {
  const posted = new Map<number, number>();
  let full = 0;
  const lives = scenario.comesAndGoes
    ? Math.min(LIVES_MAX, Math.max(LIVES_MIN, messages / LIFE_MESSAGES))
    : 1;
  const share = Math.ceil(messages / lives);
  for (let sent = 0; sent < messages; sent += share) {
    const life = sent / share;
    const worker = new Part<SenderAnswer>("sender.ts");
    const order: SenderOrder = {
      scenario,
      address,
      // Streams of different lives must differ, as their outboxes do.
      stream: sender + senders * posted.size,
      streamStep: senders,
      messages: Math.min(share, messages - sent),
      abandons: scenario.comesAndGoes && life % 2 === 0,
    };
    const answer = await worker.ask(order);
    worker.end();
    for (const [stream, count] of answer.posted) posted.set(stream, count);
    full += answer.full;
  }
  return { posted, full };
}

/** Runs a scenario, and returns a line of figures. */
async function stress(
  scenario: Scenario,
  senders: number,
  messages: number,
): Promise<string> {
  const total = senders * messages;
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const watch = watchProgress(progress, total);
  const receiver = new Part<ReceiverAnswer>("receiver.ts");
  const first = await receiver.ask({ scenario, senders, total, progress });
  if (!("address" in first)) throw new Error("no address");
  const { address } = first;
  const stopped = receiver.answer();
  const startMs = performance.now();
  const [answers] = await Promise.all([
    Promise.all(
      Array.from(
        { length: senders },
        (_, sender) => send(scenario, address, sender, senders, messages),
      ),
    ),
    stopped,
  ]);
  const seconds = (performance.now() - startMs) / 1000;
  await takeOverAll(address, senders);
  const figures = await receiver.ask(
    new Map(answers.flatMap(({ posted }) => [...posted])),
  );
  receiver.end();
  clearInterval(watch);
  if (!("bytes" in figures)) throw new Error("no figures");
  const outboxes = answers.reduce((sum, { posted }) => sum + posted.size, 0);
  const full = answers.reduce((sum, answer) => sum + answer.full, 0);
  return `${scenario.name}: ${total} messages, ` +
    `${(figures.bytes / 2 ** 20).toFixed(0)} MiB, whole and in order, in ` +
    `${seconds.toFixed(1)} s, ${
      (total / seconds / 1e6).toFixed(2)
    } million/s; ` +
    `outboxes: ${outboxes}, found full: ${full}, ` +
    `wake-ups: ${figures.wakeups}, turns: ${figures.turns}`;
}

/** Every lane can be had in the end, those of ended workers too. */
async function takeOverAll(
  address: InboxAddress,
  lanes: number,
): Promise<void> {
  const outboxes: Outbox[] = [];
  while (outboxes.length < lanes) {
    try {
      outboxes.push(new Outbox(address));
    } catch (error) {
      if (!String(error).includes("sendersMax")) throw error;
      // Their threads are still ending.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  for (const outbox of outboxes) outbox.close();
}

/** Ends the program with a message if nothing arrives any more. */
function watchProgress(
  progress: Int32Array<SharedArrayBuffer>,
  total: number,
): ReturnType<typeof setInterval> {
  let seen = -1;
  return setInterval(() => {
    const now = Atomics.load(progress, 0);
    if (now === seen) {
      console.error(`Stuck after ${now} of ${total} messages`);
      Deno.exit(1);
    }
    seen = now;
  }, STUCK_MS);
}

const { values } = parseArgs({
  options: {
    senders: { type: "string", default: "8" },
    messages: { type: "string", default: "1000000" },
    scenario: { type: "string" },
  },
});
const senders = Number(values.senders);
const messages = Number(values.messages);
try {
  for (const scenario of scenarios) {
    if (values.scenario !== undefined && values.scenario !== scenario.name) {
      continue;
    }
    console.log(await stress(scenario, senders, messages));
  }
} catch (error) {
  console.error(String(error));
  // Its workers may be waiting for one another.
  Deno.exit(1);
}
