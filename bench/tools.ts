/** The C programs of the benchmark, and the programs that it finds. */
import { fileURLToPath } from "node:url";

/** Programs built from C, by path. */
export interface Tools {
  /** Runs a program on one core. */
  onCore: string;
  /** The load generators. */
  load: string;
  churnLoad: string;
  httpLoad: string;
  udpLoad: string;
  bulkLoad: string;
  /** Opens connections and keeps them. */
  idle: string;
  /** The echo servers in C. */
  echo: string;
  udpEcho: string;
}

const SOURCES: Record<keyof Tools, string> = {
  onCore: "load/on_core.c",
  load: "load/load.c",
  churnLoad: "load/churn_load.c",
  httpLoad: "load/http_load.c",
  udpLoad: "load/udp_load.c",
  bulkLoad: "load/bulk_load.c",
  idle: "load/idle.c",
  echo: "peers/echo.c",
  udpEcho: "peers/udp_echo.c",
};

/** The path of a file in `bench/`. */
export function benchFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** The start of a command that runs a script by Deno. */
export function denoRun(...more: string[]): string[] {
  return [
    Deno.execPath(),
    ...["run", "--quiet", "--no-lock", "--allow-all", ...more],
  ];
}

/**
 * The program that a variable names, or the first of `names` that is on the
 * PATH; undefined if there is none.
 */
export function findProgram(
  variable: string,
  ...names: string[]
): string | undefined {
  const chosen = Deno.env.get(variable);
  if (chosen) return isFile(chosen) ? chosen : onPath(chosen);
  return names.map(onPath).find((path) => path !== undefined);
}

/** Builds the C programs in `directory`. */
export async function buildTools(directory: string): Promise<Tools> {
  const compiler = findProgram("CC", "cc", "gcc", "clang");
  if (compiler === undefined) {
    throw new Error(
      "Cannot build the load generator: there is no C compiler. " +
        "Install one, or name it in CC.",
    );
  }
  const built = { ...SOURCES };
  for (const name of Object.keys(SOURCES) as (keyof Tools)[]) {
    built[name] = `${directory}/${name}`;
    const { success } = await new Deno.Command(compiler, {
      args: ["-O2", "-o", built[name], benchFile(SOURCES[name])],
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`Cannot build ${SOURCES[name]}`);
  }
  return built;
}

function onPath(name: string): string | undefined {
  const directories = (Deno.env.get("PATH") ?? "").split(":");
  return directories.map((directory) => `${directory}/${name}`).find(isFile);
}

/** Whether there is a file of this path. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
