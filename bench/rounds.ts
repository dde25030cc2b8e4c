/**
 * Peers that take turns, so that what slows the machine slows all of them: a
 * machine with other guests is slow for seconds at a time.
 */
import type { PeerResult } from "./results.ts";
import type { Candidate, Context, Peer, Sample, Subject } from "./workload.ts";

/**
 * In every round all peers are started; then they take turns at being measured,
 * a slice at a time. At last each is looked at apart.
 */
export async function takeTurns(
  peers: Peer[],
  rounds: number,
  slices: number,
  context: Context,
  progress: (what: string) => void,
): Promise<PeerResult[]> {
  const results = peers.map(({ name, label }): PeerResult => ({
    name,
    label,
    samples: [],
    counted: {},
  }));
  const sliced = { ...context, seconds: context.seconds / slices };
  for (let round = 0; round < rounds; round++) {
    const named = `round ${round + 1} of ${rounds}`;
    await using opened = new AsyncDisposableStack();
    const parts: { subject: Subject; samples: Sample[] }[] = [];
    for (const peer of peers) {
      progress(`${named}, ${peer.name}`);
      const subject = await attempt(peer, () => peer.open(context));
      parts.push({ subject: opened.use(subject), samples: [] });
    }
    for (let slice = 0; slice < slices; slice++) {
      for (const turn of order(peers.length, round + slice)) {
        const { subject, samples } = parts[turn];
        samples.push(
          await attempt(peers[turn], () => subject.measure(sliced)),
        );
      }
    }
    for (const [turn, { samples }] of parts.entries()) {
      results[turn].samples.push(meanOf(samples));
    }
  }
  for (const [turn, peer] of peers.entries()) {
    const { count } = peer;
    if (count === undefined) continue;
    progress(`counting, ${peer.name}`);
    results[turn].counted = await attempt(peer, () => count(context));
  }
  return results;
}

/**
 * The peers of these names, or all of them, and the names of those not here.
 * Unless `counts`, they are not looked at apart.
 */
export function choosePeers(
  candidates: Candidate[],
  names: string[] | undefined,
  counts: boolean,
): { peers: Peer[]; missing: string[] } {
  const chosen = candidates.filter(({ name }) => names?.includes(name) ?? true);
  const peers = chosen.map(({ peer }) => peer).filter((peer) => peer !== null);
  return {
    peers: counts
      ? peers
      : peers.map(({ name, label, open }) => ({ name, label, open })),
    missing: chosen.filter(({ peer }) => peer === null).map(({ name }) => name),
  };
}

async function attempt<T>(
  { name }: Peer,
  measure: () => Promise<T>,
): Promise<T> {
  try {
    return await measure();
  } catch (cause) {
    throw new Error(`Cannot measure ${name}`, { cause });
  }
}

/** A different peer begins each slice, and every other slice runs backwards. */
function order(count: number, slice: number): number[] {
  const turns = Array.from({ length: count }, (_, i) => (i + slice) % count);
  return slice % 2 === 0 ? turns : turns.reverse();
}

/** The mean of each figure: slices are equally long. */
function meanOf(samples: Sample[]): Sample {
  const names = Object.keys(samples[0]);
  return Object.fromEntries(names.map((name) => {
    const sum = samples.reduce((sum, sample) => sum + sample[name], 0);
    return [name, sum / samples.length];
  }));
}
