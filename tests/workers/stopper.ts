/** Stops whichever engine it is sent the address of an inbox of. */
import { type InboxAddress, Outbox } from "../../mod.ts";

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<InboxAddress>;
  using outbox = new Outbox(data);
  outbox.stop();
});
