/** Peers that take turns, so that what slows the machine slows all of them. */

/** The samples of one peer, one for each round. */
export interface PeerSamples<Sample> {
  name: string;
  label: string;
  samples: Sample[];
}

/** Every peer takes its turn in every round. */
export async function takeTurns<
  Peer extends { name: string; label: string },
  Sample,
>(
  peers: Peer[],
  rounds: number,
  takeTurn: (peer: Peer) => Promise<Sample>,
): Promise<PeerSamples<Sample>[]> {
  const results = peers.map(({ name, label }): PeerSamples<Sample> => ({
    name,
    label,
    samples: new Array(rounds),
  }));
  for (let round = 0; round < rounds; round++) {
    for (const turn of order(peers.length, round)) {
      const peer = peers[turn];
      progress(`round ${round + 1} of ${rounds}: ${peer.name}`);
      try {
        results[turn].samples[round] = await takeTurn(peer);
      } catch (cause) {
        throw new Error(`Cannot measure ${peer.name}`, { cause });
      }
    }
  }
  progress("");
  return results;
}

/** The peers of these names; all of them for undefined. */
export function choosePeers<Peer extends { name: string }>(
  peers: Peer[],
  names: string[] | undefined,
  missing: string[] = [],
): Peer[] {
  if (names === undefined) return peers;
  return names.map((name) => {
    const peer = peers.find((peer) => peer.name === name);
    if (peer !== undefined) return peer;
    throw new Error(
      missing.includes(name)
        ? `Cannot run the peer "${name}": its program is not found`
        : `Cannot run the peer "${name}": the peers are ` +
          peers.map(({ name }) => name).join(", "),
    );
  });
}

/** One line that is written over, where a person is watching. */
export function progress(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

/** A different peer begins each round, and every other round runs backwards. */
function order(count: number, round: number): number[] {
  const turns = Array.from({ length: count }, (_, i) => (i + round) % count);
  return round % 2 === 0 ? turns : turns.reverse();
}
