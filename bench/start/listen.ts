/** A program that makes an engine listen. */
import { Engine } from "../../mod.ts";

const engine = new Engine();
engine.listen({ port: 0 }, {});
engine.close();
