/** Random numbers that are the same ones for the same seed. */

/** Gives integers from 0 to below a bound. */
export function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % bound;
  };
}
