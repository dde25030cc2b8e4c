/** Prints the bytes of the variable X after it has been executed again. */
import { systemCalls } from "../../ffi/mod.ts";
import { withSignalsBlocked } from "../../mod.ts";
import { readProc } from "../../src/proc.ts";

withSignalsBlocked(["SIGUSR1"]);
const environ = readProc(systemCalls, "/proc/self/environ");
const latin1 = new TextDecoder("latin1").decode(environ);
const value = /(?:^|\0)X=([^\0]*)/.exec(latin1)?.[1] ?? "";
console.log([...value].map((c) => c === "ÿ" ? 255 : c.charCodeAt(0)).join());
