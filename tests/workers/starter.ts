/** Runs an engine beside the messages that it is sent; answers each. */
import { Engine } from "../../mod.ts";

interface Scope {
  onmessage: (event: MessageEvent<string>) => void;
  postMessage(message: string): void;
}

const scope = globalThis as unknown as Scope;
const engine = new Engine();

scope.onmessage = ({ data }) => {
  if (data === "stop") return engine.close();
  if (data !== "start") return scope.postMessage(data);
  engine.timer(1, () => scope.postMessage("timer"));
  engine.start().then(() => scope.postMessage("ended"));
};
