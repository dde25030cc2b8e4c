/** Stand-in for `@std/cli/parse-args`, over node:util. */
import { parseArgs as parse } from "node:util";

/** What the command line may hold; the names as in `@std/cli`. */
export interface ParseOptions<Text extends string, Flag extends string> {
  string?: readonly Text[];
  boolean?: readonly Flag[];
  default?: Partial<Record<Text, string> & Record<Flag, boolean>>;
  alias?: Partial<Record<Text | Flag, string>>;
}

/** The values by name, and in `_` what belongs to no name. */
export type Args<Text extends string, Flag extends string> =
  & { [name in Text]?: string }
  & { [name in Flag]: boolean }
  & { _: string[] };

/** Parses `--name value`, `--name=value`, `--flag` and what stands alone. */
export function parseArgs<
  Text extends string = never,
  Flag extends string = never,
>(args: string[], options: ParseOptions<Text, Flag> = {}): Args<Text, Flag> {
  const flags = options.boolean ?? [];
  const short: Record<string, string | undefined> = options.alias ?? {};
  const describe = (name: string, type: "string" | "boolean") => {
    const alias = short[name];
    return [name, alias === undefined ? { type } : { type, short: alias }];
  };
  const { values, positionals } = parse({
    args,
    strict: false,
    allowPositionals: true,
    options: Object.fromEntries([
      ...(options.string ?? []).map((name) => describe(name, "string")),
      ...flags.map((name) => describe(name, "boolean")),
    ]),
  });
  const unset = Object.fromEntries(flags.map((name) => [name, false]));
  return {
    ...unset,
    ...options.default,
    ...values,
    _: positionals,
  } as Args<Text, Flag>;
}
