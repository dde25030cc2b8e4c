/**
 * What a request asks for beside the path: only what is new, or a part of it.
 */
import type { OpenFile } from "./files.ts";
import type { HttpRequest } from "./request.ts";

/** Bytes of a file: the first, and how many. */
export interface Part {
  offset: number;
  length: number;
}

/** Whether the client has the file already, as it is. */
export function isCached(request: HttpRequest, file: OpenFile): boolean {
  const tags = request.header("if-none-match");
  if (tags !== undefined) {
    return tags === "*" ||
      tags.split(",").some((tag) =>
        tag.trim().replace(/^W\//, "") === file.etag
      );
  }
  // NaN, for what is no date, is less than nothing.
  return Date.parse(request.header("if-modified-since") ?? "") >=
    file.changedMs;
}

/**
 * The part that is asked for by `Range: bytes=...`: `"all"` where none is, or one
 * that need not be understood, such as several; `"none"` where it lies outside.
 */
export function partOf(
  request: HttpRequest,
  file: OpenFile,
): Part | "all" | "none" {
  const range = request.header("range");
  if (range === undefined || !isUnchanged(request, file)) return "all";
  const [, first = "", last = ""] = range.match(/^bytes=(\d*)-(\d*)$/) ?? [];
  if (first === "") {
    if (last === "") return "all";
    const length = Math.min(Number(last), file.size);
    return length === 0 ? "none" : { offset: file.size - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? file.size : Math.min(Number(last) + 1, file.size);
  if (last !== "" && Number(last) < offset) return "all";
  return offset >= file.size ? "none" : { offset, length: end - offset };
}

/** Whether the part still belongs to what the client has of the file. */
function isUnchanged(request: HttpRequest, file: OpenFile): boolean {
  const known = request.header("if-range");
  if (known === undefined || known === file.etag) return true;
  return Date.parse(known) === file.changedMs;
}
