/**
 * Calls withSignalsBlocked() where it can't work, and prints what it throws. The
 * argument says where that is.
 */
import process from "node:process";
import { check, pthread_sigmask, SIG_BLOCK, sigset } from "../../ffi/mod.ts";
import { withSignalsBlocked } from "../../mod.ts";

const [where] = Deno.args;
if (where === "elsewhere") Deno.chdir("/");
if (where === "masked") {
  check(pthread_sigmask(SIG_BLOCK, sigset([10]), null), "pthread_sigmask");
}
try {
  withSignalsBlocked(["SIGUSR1"]);
  console.log("blocked");
} catch (error) {
  console.log((error as Error).message);
}
if (process.connected) process.disconnect();
