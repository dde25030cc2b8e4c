/** Structures, constants and error numbers against the C compiler's. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as ffi from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";

/** The structures that both architectures share, by their C type. */
const structs: Record<string, Record<string, number>> = {
  "sigset_t": ffi.sigset_t,
  "struct timespec": ffi.timespec,
  "struct itimerspec": ffi.itimerspec,
  "struct timeval": ffi.timeval,
  "struct pollfd": ffi.pollfd,
  "struct iovec": ffi.iovec,
  "struct signalfd_siginfo": ffi.signalfd_siginfo,
  "struct sockaddr_in": ffi.sockaddr_in,
  "struct sockaddr_in6": ffi.sockaddr_in6,
  "struct sockaddr_un": ffi.sockaddr_un,
  "struct sockaddr_storage": ffi.sockaddr_storage,
  "struct msghdr": ffi.msghdr,
  "struct mmsghdr": ffi.mmsghdr,
  "struct cmsghdr": ffi.cmsghdr,
  "struct linger": ffi.linger,
  "struct ucred": ffi.ucred,
  "struct ip_mreqn": ffi.ip_mreqn,
  "struct ipv6_mreq": ffi.ipv6_mreq,
  "struct tcp_info": ffi.tcp_info,
  "struct iocb": ffi.iocb,
  "struct io_event": ffi.io_event,
  "struct inotify_event": ffi.inotify_event,
};

/** What the compilers of both architectures say, for machines without one. */
const recorded: Record<string, string> = {
  "sigset_t": "128",
  "struct timespec": "16 0 8",
  "struct itimerspec": "32 0 16",
  "struct timeval": "16 0 8",
  "struct pollfd": "8 0 4 6",
  "struct iovec": "16 0 8",
  "struct signalfd_siginfo": "128 0 4 8 12 16 20 24 28 32 36 40 44 48 56 64 72",
  "struct sockaddr_in": "16 0 2 4",
  "struct sockaddr_in6": "28 0 2 4 8 24",
  "struct sockaddr_un": "110 0 2",
  "struct sockaddr_storage": "128 0",
  "struct msghdr": "56 0 8 16 24 32 40 48",
  "struct mmsghdr": "64 0 56",
  "struct cmsghdr": "16 0 8 12",
  "struct linger": "8 0 4",
  "struct ucred": "12 0 4 8",
  "struct ip_mreqn": "12 0 4 8",
  "struct ipv6_mreq": "20 0 16",
  "struct tcp_info":
    "0 1 2 3 4 5 8 12 16 20 24 28 32 36 40 44 48 52 56 60 64 68 72 76 80 84 88 92 96 100",
  "struct iocb": "64 0 8 12 16 18 20 24 32 40 56 60",
  "struct io_event": "32 0 8 16 24",
  "struct inotify_event": "16 0 4 8 12",
};

const HEADERS = `
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <linux/aio_abi.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
`;

/** What a C program prints, by line; null where there is no C compiler. */
async function runC(main: string): Promise<string[] | null> {
  const directory = await Deno.makeTempDir();
  try {
    const source = `${directory}/main.c`;
    const program = `${directory}/main`;
    await Deno.writeTextFile(source, `${HEADERS}int main(void) {${main}}`);
    const compiled = await new Deno.Command("cc", {
      args: ["-o", program, source],
    }).output();
    assert(compiled.success, new TextDecoder().decode(compiled.stderr));
    const { stdout } = await new Deno.Command(program).output();
    return new TextDecoder().decode(stdout).trim().split("\n");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Prints the size and the offsets of a structure, as `recorded` has them. */
function measure(type: string, fields: string[]): string {
  const values = fields.map((field) =>
    field === "size" ? `sizeof(${type})` : `offsetof(${type}, ${field})`
  );
  return `printf("${fields.map(() => "%zu").join(" ")}\\n", ${values});`;
}

const measured = await runC(
  Object.entries(structs)
    .map(([type, layout]) => measure(type, Object.keys(layout))).join("\n"),
);

for (const [index, type] of Object.keys(structs).entries()) {
  const source = measured === null ? "recorded" : "compiler's";
  test(`${type} has the ${source} size and offsets`, () => {
    const layout = Object.values(structs[type]).join(" ");
    assertEquals(layout, recorded[type]);
    if (measured !== null) assertEquals(layout, measured[index]);
  });
}

test("struct epoll_event is packed on x86-64 and aligned on aarch64", async () => {
  const packed = { size: 12, events: 0, data: 4 };
  const aligned = { size: 16, events: 0, data: 8 };
  assertEquals(ffi.epollEventLayouts, { x86_64: packed, aarch64: aligned });
  const natural = "struct natural { uint32_t events; epoll_data_t data; };";
  const fields = Object.keys(packed);
  const lines = await runC(
    natural + measure("struct epoll_event", fields) +
      measure("struct natural", fields),
  ) ?? [Object.values(ffi.epoll_event).join(" "), "16 0 8"];
  assertEquals(lines, [
    Object.values(ffi.epoll_event).join(" "),
    Object.values(aligned).join(" "),
  ]);
});

test("constants that differ by architecture have each kernel's values", () => {
  assertEquals(ffi.architectureConstants, {
    x86_64: {
      O_DIRECT: 0o40000,
      O_DIRECTORY: 0o200000,
      O_NOFOLLOW: 0o400000,
      SYS_gettid: 186,
      SYS_tgkill: 234,
    },
    aarch64: {
      O_DIRECT: 0o200000,
      O_DIRECTORY: 0o40000,
      O_NOFOLLOW: 0o100000,
      SYS_gettid: 178,
      SYS_tgkill: 131,
    },
  });
});

/** The constants of the raw layer, by name. */
const constants = Object.entries(ffi).filter(
  (entry): entry is [string, number] =>
    typeof entry[1] === "number" && /^[A-Z]/.test(entry[0]),
);

test("every constant has the value of the C headers", async () => {
  const lines = await runC(
    constants.map(([name]) =>
      `\n#ifdef ${name}\nprintf("${name} %d\\n", (int) (${name}));\n#endif\n`
    ).join(""),
  );
  const own = new Map(constants.map(([name, value]) => [name, value | 0]));
  // Without a compiler: those that most programs stand on.
  const expected = lines ??
    ["EPOLLIN 1", "EPOLLET -2147483648", "EPOLL_CTL_MOD 3", "EAGAIN 11"];
  const different = expected.filter((line) => {
    const [name, value] = line.split(" ");
    return own.get(name) !== Number(value);
  });
  assertEquals(different, []);
  // Older headers lack the newest ones.
  assert(lines === null || lines.length > 0.95 * constants.length);
});

test("a mask with EPOLLET is what the kernel's words hold", () => {
  const events = new ffi.EpollEvents(1);
  events.set(0, ffi.EPOLLIN | ffi.EPOLLET, 0, 0);
  assertEquals(events.mask(0), ffi.EPOLLIN | ffi.EPOLLET);
  assertEquals(ffi.EPOLLET, -0x80000000);
});

for (const [machine, layout] of Object.entries(ffi.epollEventLayouts)) {
  test(`EpollEvents lays events out for ${machine}`, () => {
    const events = new ffi.EpollEvents(3, layout);
    events.set(1, ffi.EPOLLET | ffi.EPOLLOUT, 0x12345678, -0x12345678);
    events.set(2, 5, 6, 7);
    const view = new DataView(events.words.buffer);
    const at = layout.size;
    assertEquals(view.byteLength, 3 * layout.size);
    assertEquals(view.getUint32(at + layout.events, true), 0x80000004);
    assertEquals(
      view.getBigUint64(at + layout.data, true),
      0xedcba988_12345678n,
    );
    assertEquals(
      [events.mask(1), events.slot(1), events.generation(1)],
      [ffi.EPOLLET | ffi.EPOLLOUT, 0x12345678, -0x12345678],
    );
    assertEquals(
      [events.mask(2), events.slot(2), events.generation(2)],
      [5, 6, 7],
    );
    assertEquals([events.mask(0), events.eventsMax], [0, 3]);
  });
}

test("EpollEvents() refuses a size that is not a positive integer", () => {
  for (const eventsMax of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(
      () => new ffi.EpollEvents(eventsMax),
      RangeError,
      `the current value is ${eventsMax}`,
    );
  }
});
