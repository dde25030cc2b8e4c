/** A program that imports the package and makes an engine. */
import { Engine } from "../../mod.ts";

new Engine().close();
