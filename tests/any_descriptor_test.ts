/**
 * Descriptors of other kinds than sockets: terminals, inotify, another epoll.
 * Pipes, timerfd and pidfd have files of their own.
 */
import { assert, assertEquals } from "@std/assert";
import {
  chmodSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import {
  check,
  IN_ATTRIB,
  IN_CLOEXEC,
  IN_CREATE,
  IN_IGNORED,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_NONBLOCK,
  inotify_add_watch,
  inotify_init1,
  inotify_rm_watch,
  inotifyEvents,
  ioctl,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
  open,
} from "../ffi/mod.ts";
import { Engine, type FdEvent } from "../mod.ts";
import { bytesOf, engineTest, runUntil, settle } from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

/** ioctl(2): the number of a terminal's other end. */
const TIOCGPTN = 0x80045430;
/** ioctl(2): lock or unlock the other end. */
const TIOCSPTLCK = 0x40045431;

const TERMINAL_FLAGS = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;

/** Both ends of a terminal: who draws it, and who is asked in it. */
function terminal(): [master: number, slave: number] {
  const master = check(open("/dev/ptmx", TERMINAL_FLAGS), "open");
  check(ioctl(master, TIOCSPTLCK, new Int32Array(1)), "ioctl");
  const number = new Int32Array(1);
  check(ioctl(master, TIOCGPTN, number), "ioctl");
  const slave = check(open(`/dev/pts/${number[0]}`, TERMINAL_FLAGS), "open");
  return [master, slave];
}

/** Reads all that is there. */
function readAll(event: FdEvent): string {
  const buffer = new Uint8Array(1024);
  let text = "";
  for (let count; (count = event.read(buffer)) > 0;) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

engineTest(
  "a terminal gives lines, and its other end what was printed",
  (engine) => {
    const [master, slave] = terminal();
    let typed = "";
    let drawn = "";
    let hungUp = false;
    const inside = engine.register(slave, {
      read: (event) => {
        const line = readAll(event);
        typed += line;
        if (line !== "") event.write(bytesOf(`you typed ${line}`));
      },
      error: () => hungUp = true,
    });
    const outside = engine.register(master, {
      read: (event) => void (drawn += readAll(event)),
    });
    inside.enableRead();
    outside.enableRead();
    settle(engine);
    // Half a line is shown to who types, and to nobody else.
    outside.write(bytesOf("hel"));
    runUntil(engine, () => drawn === "hel");
    assertEquals(typed, "");
    outside.write(bytesOf("lo\n"));
    runUntil(engine, () => drawn.endsWith("you typed hello\r\n"));
    assertEquals([typed, drawn], ["hello\n", "hello\r\nyou typed hello\r\n"]);
    // Whoever is asked in a terminal that is gone is hung up.
    outside.close();
    runUntil(engine, () => hungUp || inside.read(new Uint8Array(1)) === 0);
    inside.close();
  },
);

engineTest("inotify tells of files as things happen to them", (engine) => {
  const directory = mkdtempSync(`${tmpdir()}/edgewise-`);
  const fd = check(inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1");
  const log: string[] = [];
  const cookies = new Set<number>();
  const names = new Map([
    [IN_CREATE, "created"],
    [IN_MOVED_FROM, "moved from"],
    [IN_MOVED_TO, "moved to"],
    [IN_ATTRIB, "changed"],
    [IN_IGNORED, "over"],
  ]);
  const buffer = new Uint8Array(4096);
  const event = engine.register(fd, {
    read: (event) => {
      for (let count; (count = event.read(buffer)) > 0;) {
        for (const told of inotifyEvents(buffer.subarray(0, count))) {
          assertEquals(told.watch, watch);
          log.push(`${names.get(told.mask)} ${told.name}`);
          cookies.add(told.cookie);
        }
      }
    },
  });
  const mask = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;
  const watch = check(inotify_add_watch(fd, directory, mask), "add");
  assertEquals(inotify_add_watch(fd, directory, mask), watch);
  event.enableRead();
  settle(engine);
  writeFileSync(`${directory}/ä`, "");
  runUntil(engine, () => log.length === 1);
  renameSync(`${directory}/ä`, `${directory}/a longer name than before`);
  chmodSync(`${directory}/a longer name than before`, 0o600);
  runUntil(engine, () => log.length === 4);
  assertEquals(inotify_rm_watch(fd, watch), 0);
  runUntil(engine, () => log.length === 5);
  assertEquals(log, [
    "created ä",
    "moved from ä",
    "moved to a longer name than before",
    "changed a longer name than before",
    "over ",
  ]);
  // 0, and one for both events of the move.
  assertEquals(cookies.size, 2);
  event.close();
  rmSync(directory, { recursive: true });
});

engineTest(
  "an engine inside another has its turn when it has something to do",
  (outer, trigger) => {
    using inner = new Engine({ trigger });
    const received: string[] = [];
    const listener = inner.listen({}, {
      data: (connection, chunk) => {
        received.push(new TextDecoder().decode(chunk));
        connection.write(chunk);
      },
    });
    let turns = 0;
    const event = outer.register(inner.fd, {
      read: () => {
        turns++;
        // All of it: an edge is told once.
        while (inner.turn(0) > 0);
        event.readReady = false;
      },
    });
    event.enableRead();
    inner.commit();
    settle(outer);
    assertEquals(turns, 0);
    using peer = Peer.connect(listener.port);
    runUntil(outer, () => listener.connections === 1);
    for (const text of ["one", "two"]) {
      peer.send(text);
      runUntil(outer, () => peer.receiveText() === text);
    }
    assertEquals(received, ["one", "two"]);
    assert(turns >= 3);
    event.disableRead();
    outer.commit();
    inner.close();
  },
);
