/** Children of this process. @module */

import { int32, type Memory, requireRoom } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { siginfo_t } from "./layout_process.ts";
import { children } from "./libc.ts";

/**
 * waitid(2): fills a `siginfo_t` with how a child has ended, and takes it off
 * the kernel's list unless `options` has WNOWAIT. Returns 0, or the negative
 * errno. With WNOHANG `si_pid` stays as it is where no child has ended.
 */
export function waitid(
  idtype: number,
  id: number,
  info: Memory,
  options: number,
): number {
  requireRoom(info, siginfo_t.size, "siginfo_t");
  const result = children.c.waitid(
    int32(idtype),
    int32(id),
    info,
    int32(options),
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}
