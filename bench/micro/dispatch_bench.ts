/** A turn of an engine: one wait, and the handlers of what is ready. */
import { Engine } from "../../mod.ts";
import { EFD_NONBLOCK, eventfd } from "../../ffi/mod.ts";

for (const ready of [0, 1, 100]) {
  // Level-triggered and never read: ready in each turn.
  const engine = new Engine({ trigger: "level" });
  for (let index = 0; index < ready; index++) {
    engine.register(eventfd(1, EFD_NONBLOCK), { read() {} }).enableRead();
  }
  engine.commit();
  Deno.bench(`a turn with ${ready} descriptors ready`, () => {
    engine.turn(0);
  });
}
