/**
 * Serves the files of a directory by sendfile(2): their bytes never come into the
 * process. Symbolic links are followed, wherever they lead.
 *
 *     deno run --allow-ffi examples/static_files.ts [port] [directory]
 */
import { argv } from "node:process";
import {
  close,
  EACCES,
  ELOOP,
  EMFILE,
  ENAMETOOLONG,
  ENFILE,
  ENOENT,
  ENOTDIR,
  EPERM,
} from "../ffi/mod.ts";
import { fail } from "./echo.ts";
import { Answer } from "./http/answer.ts";
import { isCached, partOf } from "./http/conditions.ts";
import type { Exchange } from "./http/exchange.ts";
import {
  decodePath,
  mediaType,
  type OpenFile,
  openFile,
} from "./http/files.ts";
import type { HttpRequest } from "./http/request.ts";
import { serveUntilEnded } from "./http/serve.ts";

const BAD_REQUEST = Answer.status(400);
const FORBIDDEN = Answer.status(403);
const NOT_FOUND = Answer.status(404);
const ONLY_GET = Answer.status(405, { Allow: "GET, HEAD" });
const SERVER_ERROR = Answer.status(500);
const OUT_OF_DESCRIPTORS = Answer.status(503, { "Retry-After": "1" });

/** What to say where a file can't be opened; anything else is a 500. */
const REFUSALS = new Map([
  ...[ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP].map((errno) =>
    [errno, NOT_FOUND] as const
  ),
  ...[EACCES, EPERM].map((errno) => [errno, FORBIDDEN] as const),
  ...[EMFILE, ENFILE].map((errno) => [errno, OUT_OF_DESCRIPTORS] as const),
]);

const [, , port = "8080", directory = "."] = argv;

function answer(request: HttpRequest, exchange: Exchange): void {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") return exchange.send(ONLY_GET);
  const path = decodePath(request.path);
  if (path === null) return exchange.send(BAD_REQUEST);
  const file = openFile(directory + path);
  if (typeof file === "number") return refuse(exchange, file);
  if (file.kind === "file") return sendFile(request, exchange, path, file);
  close(file.fd);
  if (file.kind === "other") return exchange.send(NOT_FOUND);
  if (!path.endsWith("/")) {
    // A second slash at the beginning would lead to another host.
    const location = request.path.replace(/^\/+/, "/") + "/";
    return exchange.send(Answer.status(301, { Location: location }));
  }
  const index = openFile(`${directory}${path}index.html`);
  if (typeof index === "number") return refuse(exchange, index);
  if (index.kind === "file") {
    return sendFile(request, exchange, "index.html", index);
  }
  close(index.fd);
  exchange.send(NOT_FOUND);
}

function sendFile(
  request: HttpRequest,
  exchange: Exchange,
  path: string,
  file: OpenFile,
): void {
  const { fd, size, changedMs, etag } = file;
  const about = {
    ETag: etag,
    "Last-Modified": new Date(changedMs).toUTCString(),
    "Accept-Ranges": "bytes",
  };
  if (isCached(request, file)) {
    close(fd);
    return exchange.send(Answer.unchanged(about));
  }
  const part = partOf(request, file);
  if (part === "none") {
    close(fd);
    return exchange.send(
      Answer.status(416, { "Content-Range": `bytes */${size}` }),
    );
  }
  const fields = { ...about, "Content-Type": mediaType(path) };
  if (part === "all") {
    const whole = new Answer(200, { ...fields, "Content-Length": size });
    return exchange.sendFile(whole, fd, 0, size);
  }
  const { offset, length } = part;
  const partial = new Answer(206, {
    ...fields,
    "Content-Length": length,
    "Content-Range": `bytes ${offset}-${offset + length - 1}/${size}`,
  });
  exchange.sendFile(partial, fd, offset, length);
}

function refuse(exchange: Exchange, errno: number): void {
  exchange.send(REFUSALS.get(-errno) ?? SERVER_ERROR);
}

const root = openFile(directory);
if (typeof root === "number" || root.kind !== "directory") {
  fail(`The directory must be one that can be read, and is ${directory}`);
}
close(root.fd);
serveUntilEnded(port, answer);
