/** Work that one process does by itself, over and over. */
export interface Work {
  /** Operations in one piece of work. */
  operations: number;
  /** Does it once; returns the system calls that it says it has made. */
  run(): number;
}
