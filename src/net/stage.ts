/**
 * How far a connection has come. A plain number: it is looked at for each
 * message.
 *
 * @module
 */

/** Being established: resolved, or connected. */
export const CONNECTING = 0;
/** Established, or half closed. */
export const OPEN = 1;
/** Closed by the peer or by an error. From here on it counts as closed. */
export const LOST = 2;
/** Closed by the user. */
export const CLOSED = 3;
