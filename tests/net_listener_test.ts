/** Listening: options of the socket, unix paths, rotation, inherited sockets. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  existsSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL } from "../ffi/mod.ts";
import { inheritedListeners, SystemError } from "../mod.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import {
  countingTest,
  engineTest,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer, PeerListener } from "./support/net_peer.ts";
import { Program, PROJECT } from "./support/process.ts";

/** Runs with a new directory, and removes it. */
function inDirectory(run: (path: string) => void): void {
  const path = Deno.makeTempDirSync({ prefix: "edgewise-" });
  try {
    run(path);
  } finally {
    rmSync(path, { recursive: true });
  }
}

engineTest("options of the listening socket are the kernel's", (engine) => {
  const plain = engine.listen({}, {});
  assertEquals(plain.getOption("SO_REUSEADDR"), true);
  assertEquals(plain.getOption("SO_REUSEPORT"), false);
  assertEquals(plain.getOption("TCP_DEFER_ACCEPT"), 0);
  const other = engine.listen(
    { reuseAddress: false, reusePort: true, deferAccept: true },
    {},
  );
  assertEquals(other.getOption("SO_REUSEADDR"), false);
  assertEquals(other.getOption("SO_REUSEPORT"), true);
  assertEquals(other.getOption("TCP_DEFER_ACCEPT"), 1);
  assert(
    engine.listen({ deferAccept: 30 }, {}).getOption("TCP_DEFER_ACCEPT") >= 30,
  );
  for (const deferAccept of [-1, 0.5, NaN]) {
    assertThrows(
      () => engine.listen({ deferAccept }, {}),
      RangeError,
      "deferAccept",
    );
  }
});

engineTest(
  "accepted connections inherit what is set on the listener",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    listener.setOption("SO_KEEPALIVE", true);
    listener.setOption("TCP_KEEPCNT", 4);
    using _peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    assertEquals(recorder.connection.getOption("SO_KEEPALIVE"), true);
    assertEquals(recorder.connection.getOption("TCP_KEEPCNT"), 4);
    listener.close();
    assertThrows(
      () => listener.getOption("SO_KEEPALIVE"),
      SystemError,
      "EBADF",
    );
  },
);

engineTest(
  "with deferAccept a connection opens with its first bytes",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({ deferAccept: 30 }, recorder.handlers());
    using peer = Peer.connect(listener.port);
    settle(engine);
    assertEquals(recorder.log, []);
    peer.send("x");
    runUntil(engine, () => recorder.has("data x"));
    assertEquals(recorder.log, ["open", "data x"]);
  },
);

engineTest(
  "ipv6Only keeps IPv4 clients out, and without it they come in",
  (engine) => {
    const both = engine.listen({ hostname: "::", ipv6Only: false }, {});
    assertEquals(both.getOption("IPV6_V6ONLY"), false);
    Peer.connect(both.port).close();
    const only = engine.listen({ hostname: "::", ipv6Only: true }, {});
    assertEquals(only.getOption("IPV6_V6ONLY"), true);
    assertThrows(() => Peer.connect(only.port), SystemError, "ECONNREFUSED");
    // The port is free for an IPv4 listener.
    engine.listen({ hostname: "0.0.0.0", port: only.port }, {});
    Peer.connect(only.port).close();
  },
);

countingTest(
  "an exclusive entry is made anew after every 16 accepts",
  (engine, counting) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    engine.commit();
    counting.reset();
    const peers = Array.from({ length: 50 }, () => Peer.connect(listener.port));
    runUntil(engine, () => recorder.count("open") === 50);
    settle(engine);
    const made = counting.named("epoll_ctl")
      .filter(({ args }) => args[2] === listener.fd).map(({ args }) => args[1]);
    // Those that fall between two commits are one.
    assert(made.length >= 2 && made.length <= 6, `${made}`);
    made.forEach((operation, index) => {
      assertEquals(operation, index % 2 === 0 ? EPOLL_CTL_DEL : EPOLL_CTL_ADD);
    });
    for (const peer of peers) peer.close();
  },
);

countingTest("other entries are not", (engine, counting) => {
  const recorder = new Recorder();
  const listener = engine.listen({ exclusive: false }, recorder.handlers());
  engine.commit();
  counting.reset();
  const peers = Array.from({ length: 50 }, () => Peer.connect(listener.port));
  runUntil(engine, () => recorder.count("open") === 50);
  settle(engine);
  const made = counting.named("epoll_ctl")
    .filter(({ args }) => args[2] === listener.fd);
  assertEquals(made, []);
  for (const peer of peers) peer.close();
});

engineTest("a socket file is removed when its listener closes", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    const listener = engine.listen({ path }, {});
    assert(existsSync(path));
    listener.close();
    assertEquals(existsSync(path), false);
    engine.listen({ path }, {});
    engine.close();
    assertEquals(existsSync(path), false);
  });
});

engineTest("a socket file that nobody listens on is replaced", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    new PeerListener({ family: "unix", path })[Symbol.dispose]();
    assert(existsSync(path));
    const before = openDescriptors().size;
    const recorder = new Recorder();
    const listener = engine.listen({ path }, recorder.handlers());
    assertEquals(openDescriptors().size, before + 1);
    using _peer = Peer.connect({ family: "unix", path });
    runUntil(engine, () => recorder.has("open"));
    listener.close();
    assertEquals(existsSync(path), false);
  });
});

engineTest("a socket file of a server that lives is left alone", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    using server = new PeerListener({ family: "unix", path }, 0);
    const before = openDescriptors().size;
    for (let round = 0; round < 3; round++) {
      // The backlog fills with those that ask whether it lives.
      const error = assertThrows(
        () => engine.listen({ path }, {}),
        SystemError,
      );
      assertEquals([error.code, error.address], ["EADDRINUSE", path]);
    }
    assertEquals(openDescriptors().size, before);
    assert(existsSync(path));
    server.accept().close();
  });
});

engineTest("what is no socket is never removed", (engine) => {
  inDirectory((directory) => {
    const file = `${directory}/file`;
    writeFileSync(file, "precious");
    const folder = `${directory}/folder`;
    mkdirSync(folder);
    const stale = `${directory}/stale`;
    new PeerListener({ family: "unix", path: stale })[Symbol.dispose]();
    const link = `${directory}/link`;
    symlinkSync(stale, link);
    for (const path of [file, folder, link]) {
      assertThrows(
        () => engine.listen({ path }, {}),
        SystemError,
        "EADDRINUSE",
      );
      assert(existsSync(path));
    }
  });
});

engineTest(
  "a socket file that has taken the place of a listener's own stays",
  (engine) => {
    inDirectory((directory) => {
      const path = `${directory}/socket`;
      const first = engine.listen({ path }, {});
      rmSync(path);
      const recorder = new Recorder();
      engine.listen({ path }, recorder.handlers());
      first.close();
      assert(existsSync(path));
      using _peer = Peer.connect({ family: "unix", path });
      runUntil(engine, () => recorder.has("open"));
    });
  },
);

engineTest("the file of a listener that was taken over stays", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    const server = new PeerListener({ family: "unix", path });
    engine.listen({ fd: server.fd }, {}).close();
    assert(existsSync(path));
  });
});

Deno.test("inheritedListeners() is empty for a process that was not given any", () => {
  assertEquals(inheritedListeners(), []);
  Deno.env.set("LISTEN_FDS", "2");
  Deno.env.set("LISTEN_PID", `${Deno.pid + 1}`);
  assertEquals(inheritedListeners(), []);
  Deno.env.set("LISTEN_PID", `${Deno.pid}`);
  Deno.env.set("LISTEN_FDNAMES", "web");
  assertEquals(inheritedListeners(), [
    { fd: 3, name: "web" },
    { fd: 4, name: "" },
  ]);
  for (const count of ["", "x", "-1", "1e3", "0x2"]) {
    Deno.env.set("LISTEN_FDS", count);
    assertEquals(inheritedListeners(), []);
  }
  for (const name of ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]) {
    Deno.env.delete(name);
  }
});

/** Does what a service manager does: two sockets from descriptor 3 on. */
const MANAGER = `
import os, socket, sys
sockets = []
for _ in range(2):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    sockets.append(os.dup(os.dup(os.dup(s.fileno()))))
for index, fd in enumerate(sockets):
    os.dup2(fd, 3 + index, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="web:admin")
os.execvp(sys.argv[1], sys.argv[1:])
`;

const ACTIVATED = `
import { Engine, inheritedListeners } from "./mod.ts";
const engine = new Engine();
for (const { fd, name } of inheritedListeners()) {
  const { port } = engine.listen({ fd }, {
    open: (connection) => connection.end(new TextEncoder().encode(name)),
  });
  console.log(name + " " + port);
}
console.log("ready");
engine.run();
`;

test("a program started by socket activation serves what it inherited", async () => {
  const flags = ["eval", "--no-lock", ACTIVATED];
  await using program = new Program(
    "python3",
    ["-c", MANAGER, Deno.execPath(), ...flags],
    { cwd: new URL(PROJECT).pathname },
  );
  await program.waitFor(/ready/);
  for (const name of ["web", "admin"]) {
    const port = Number(program.stdout.match(`${name} (\\d+)`)?.[1]);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const buffer = new Uint8Array(16);
    const count = await conn.read(buffer);
    assertEquals(
      new TextDecoder().decode(buffer.subarray(0, count ?? 0)),
      name,
    );
  }
  assertEquals(program.stderr, "");
});
