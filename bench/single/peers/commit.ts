/**
 * 1,000 descriptors whose interest changes each time, by a verb for each and one
 * commit. With `?twice` a second verb takes each of them back.
 */
import { Engine } from "../../../mod.ts";
import { check, EFD_CLOEXEC, eventfd } from "../../../ffi/mod.ts";
import type { Work } from "../work.ts";

const DESCRIPTORS = 1000;

const engine = new Engine();
const cancelsOut = new URL(import.meta.url).searchParams.has("twice");
const events = Array.from({ length: DESCRIPTORS }, () => {
  const fd = check(eventfd(0, EFD_CLOEXEC), "eventfd");
  return engine.register(fd, { read() {}, write() {} });
});
for (const event of events) event.enableRead();
engine.commit();
let writes = false;

function change(): void {
  writes = !writes;
  for (let index = 0; index < DESCRIPTORS; index++) {
    if (writes) events[index].enableWrite();
    else events[index].disableWrite();
  }
}

export const work: Work = {
  operations: DESCRIPTORS,
  run() {
    change();
    if (cancelsOut) change();
    return engine.commit();
  },
};
