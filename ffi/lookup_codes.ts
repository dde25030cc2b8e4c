/**
 * Why a host's name could not be looked up. getaddrinfo(3) has numbers of its
 * own for that, which differ between C libraries; these are libuv's, beyond those
 * of the kernel.
 *
 * @module
 */

/** Nobody knows now: the name server does not answer, say. Try again later. */
export const EAI_AGAIN = 3001;
/** The lookup failed for good. */
export const EAI_FAIL = 3004;
/** There is no memory for the answer. */
export const EAI_MEMORY = 3006;
/** There is no such host, or it has no address. */
export const ENOTFOUND = 3008;
