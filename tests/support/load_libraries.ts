/**
 * Opens every group of symbols before the first test. A library that a test
 * opens on first use stays open, as it should, and the resource sanitizer would
 * take it for a leak.
 */
import * as libc from "../../ffi/libc.ts";

for (const group of Object.values(libc)) {
  if (group instanceof libc.Group) void group.c;
}
