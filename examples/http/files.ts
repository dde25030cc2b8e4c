/**
 * Files to be served: which of them a path means, and what there is to say of one.
 */
import { extname } from "node:path";
import {
  AT_EMPTY_PATH,
  close,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  open,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  statx,
  STATX_BASIC_STATS,
  statx_layout,
} from "../../ffi/mod.ts";

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".gif": "image/gif",
  ".htm": "text/html; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
  ".xml": "application/xml",
};

/** An open file. */
export interface OpenFile {
  fd: number;
  kind: "file" | "directory" | "other";
  size: number;
  /** When it was changed, in whole seconds. */
  changedMs: number;
  /** Another one whenever the file changes. */
  etag: string;
}

const status = new Uint8Array(statx_layout.size);
const statusView = new DataView(status.buffer);

/** Opens a file. Returns it, or the negative errno. */
export function openFile(path: string): OpenFile | number {
  // Nonblocking: opening a FIFO would wait for somebody to write to it.
  const fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return fd;
  const result = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, status);
  if (result < 0) {
    close(fd);
    return result;
  }
  const kind = statusView.getUint16(statx_layout.stx_mode, true) & S_IFMT;
  const size = Number(statusView.getBigUint64(statx_layout.stx_size, true));
  const seconds = Number(
    statusView.getBigInt64(statx_layout.stx_mtime_sec, true),
  );
  const nanoseconds = statusView.getUint32(statx_layout.stx_mtime_nsec, true);
  return {
    fd,
    kind: kind === S_IFREG ? "file" : kind === S_IFDIR ? "directory" : "other",
    size,
    changedMs: seconds * 1000,
    etag: `"${[size, seconds, nanoseconds].map(inHex).join("-")}"`,
  };
}

/** What is in a file, by its name. */
export function mediaType(path: string): string {
  return TYPES[extname(path).toLowerCase()] ?? "application/octet-stream";
}

/**
 * The path below the root that a request means, such as `/a b/c.txt` for
 * `/a%20b/c.txt`; null for one that leads out of it, or makes no sense.
 */
export function decodePath(path: string): string | null {
  try {
    const decoded = decodeURIComponent(path);
    const leadsOut = !decoded.startsWith("/") || decoded.includes("\0") ||
      decoded.split("/").includes("..");
    return leadsOut ? null : decoded;
  } catch {
    return null;
  }
}

function inHex(value: number): string {
  return value.toString(16);
}
