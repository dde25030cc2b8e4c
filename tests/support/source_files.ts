/** The project's own files, and the parts of a source file. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PROJECT } from "./process.ts";

/** One file of the project. */
export interface SourceFile {
  /** The path from the project's directory. */
  path: string;
  text: string;
}

/** What stands at the top of the project, hidden names left out. */
export function topLevel(): string[] {
  return readdirSync(PROJECT).filter((name) => !name.startsWith("."));
}

/** The files with these endings, in the named folders or at the top. */
export function sourceFiles(places: string[], endings: string[]): SourceFile[] {
  return places.flatMap(pathsUnder)
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort()
    .map((path) => ({ path, text: readFileSync(absolute(path), "utf8") }));
}

/** The code with its comments blanked, and its strings too where asked. */
export function codeOf(text: string, strings: "keep" | "blank"): string {
  return text.replace(
    /\/\*[^]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g,
    (part) => part.startsWith("/") || strings === "blank" ? '""' : part,
  );
}

/** One module that a file imports or exports from. */
export interface ImportedModule {
  specifier: string;
  /** Whether all of it is types. */
  typesOnly: boolean;
}

/** The modules that a file names. */
export function importsOf(text: string): ImportedModule[] {
  const code = codeOf(text, "keep");
  const statement =
    /\b(?:import|export)\s+(type\s+)?(?:[^"'`;=()]*?\bfrom\s*)?["']([^"']+)["']/g;
  const call = /\bimport\(\s*["'`]([^"'`]+)["'`]/g;
  return [
    ...[...code.matchAll(statement)].map(([, type, specifier = ""]) => ({
      specifier,
      typesOnly: type !== undefined,
    })),
    ...[...code.matchAll(call)].map(([, specifier = ""]) => ({
      specifier,
      typesOnly: false,
    })),
  ];
}

/** A file itself, or all of a folder; nothing where there is neither. */
function pathsUnder(place: string): string[] {
  const stat = statSync(absolute(place), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [place];
  return readdirSync(absolute(place))
    .flatMap((name) => pathsUnder(`${place}/${name}`));
}

function absolute(path: string): string {
  return fileURLToPath(new URL(path, PROJECT));
}
