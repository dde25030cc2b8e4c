/** Peers that take turns, so that what slows the machine slows all of them. */
import type { PeerResult } from "./results.ts";
import type { Candidate, Context, Peer } from "./workload.ts";

/** Every peer takes its turn in every round, and is then looked at apart. */
export async function takeTurns(
  peers: Peer[],
  rounds: number,
  context: Context,
  progress: (what: string) => void,
): Promise<PeerResult[]> {
  const results = peers.map(({ name, label }): PeerResult => ({
    name,
    label,
    samples: [],
    counted: {},
  }));
  for (let round = 0; round < rounds; round++) {
    for (const turn of order(peers.length, round)) {
      const peer = peers[turn];
      progress(`round ${round + 1} of ${rounds}, ${peer.name}`);
      const sample = await attempt(peer, () => peer.takeTurn(context));
      results[turn].samples.push(sample);
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
      : peers.map(({ name, label, takeTurn }) => ({ name, label, takeTurn })),
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

/** A different peer begins each round, and every other round runs backwards. */
function order(count: number, round: number): number[] {
  const turns = Array.from({ length: count }, (_, i) => (i + round) % count);
  return round % 2 === 0 ? turns : turns.reverse();
}
