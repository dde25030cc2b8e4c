/**
 * Prints what is appended to a file, as `tail -F` does: it starts over when the
 * file is cut, and goes on with another one that takes its name.
 *
 *     deno run --allow-ffi examples/tail.ts FILE
 */
import { basename, dirname } from "node:path";
import { argv } from "node:process";
import {
  AT_EMPTY_PATH,
  check,
  close,
  EAGAIN,
  IN_CLOEXEC,
  IN_CREATE,
  IN_IGNORED,
  IN_MODIFY,
  IN_MOVED_TO,
  IN_NONBLOCK,
  IN_Q_OVERFLOW,
  inotify_add_watch,
  inotify_init1,
  inotify_rm_watch,
  inotifyEvents,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  open,
  pread,
  statx,
  STATX_BASIC_STATS,
  statx_layout,
  write,
} from "../ffi/mod.ts";
import { Engine, type FdEvent } from "../mod.ts";
import { fail } from "./echo.ts";

const STANDARD_OUTPUT = 1;
const buffer = new Uint8Array(64 * 1024);
const status = new Uint8Array(statx_layout.size);

const path = argv[2] ?? fail("The file to follow must be named");
const name = basename(path);
let directoryWatch = -1;
let file = -1;
let fileWatch = -1;
let position = 0;

/** The file of that name, if there is one, from its beginning or its end on. */
function openFile(inotify: number, from: "begin" | "end"): void {
  file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  position = 0;
  if (file < 0) return console.error(`waiting for ${path}`);
  fileWatch = inotify_add_watch(inotify, path, IN_MODIFY);
  // Before it is told: what is appended from then on is new.
  if (from === "end") position = sizeOfFile();
  console.error(`following ${path}`);
}

function closeFile(inotify: number): void {
  if (file < 0) return;
  inotify_rm_watch(inotify, fileWatch);
  close(file);
}

function sizeOfFile(): number {
  statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS, status);
  const view = new DataView(status.buffer);
  return Number(view.getBigUint64(statx_layout.stx_size, true));
}

/** Prints what is new. */
function printRest(): void {
  if (file < 0) return;
  if (sizeOfFile() < position) {
    console.error(`${path} was cut`);
    position = 0;
  }
  for (;;) {
    const count = pread(file, buffer, position);
    if (count <= 0) return;
    position += count;
    print(buffer.subarray(0, count));
  }
}

function print(bytes: Uint8Array): void {
  for (let printed = 0; printed < bytes.length;) {
    const count = write(STANDARD_OUTPUT, bytes.subarray(printed));
    if (count !== -EAGAIN) printed += check(count, "write");
  }
}

/** Something has happened to the file or beside it. */
function readEvents(event: FdEvent): void {
  for (;;) {
    const count = event.read(buffer);
    if (count <= 0) return;
    for (const { watch, mask, name: changed } of eventsIn(count)) {
      const isOver = (mask & IN_IGNORED) !== 0;
      if (watch === directoryWatch && isOver) fail(`${path} has no directory`);
      const isReplaced = watch === directoryWatch && changed === name;
      // An event that was lost may have told so.
      if (isReplaced || (mask & IN_Q_OVERFLOW) !== 0) {
        printRest();
        closeFile(event.fd);
        openFile(event.fd, "begin");
      }
      printRest();
    }
  }
}

function eventsIn(count: number) {
  return inotifyEvents(buffer.subarray(0, count));
}

try {
  const engine = new Engine();
  const inotify = check(
    inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
    "inotify_init1",
  );
  const directory = dirname(path);
  directoryWatch = check(
    inotify_add_watch(inotify, directory, IN_CREATE | IN_MOVED_TO),
    "inotify_add_watch",
    { address: directory },
  );
  openFile(inotify, "end");
  engine.register(inotify, { read: readEvents }).enableRead();
  engine.run();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
