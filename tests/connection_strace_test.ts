/** What a connection costs in system calls, as strace(1) counts them. */
import { assertEquals } from "@std/assert";
import { straceTest, trace } from "./support/strace.ts";

straceTest(
  "messages cost one recvfrom and one sendto each; pauses, resumes and timeouts nothing, by strace",
  async () => {
    const { calls, stdout } = await trace(
      "tests/children/paused_connection.ts",
      ["%desc", "%network"],
      { flags: ["--allow-ffi"] },
    );
    const fd = Number(stdout);
    // The descriptor may have been another file's before it was accepted.
    const accepted = calls.findIndex(({ name, result }) =>
      name === "accept4" && result === fd
    );
    const made = calls.slice(accepted + 1).filter((call) =>
      call.fd === fd ||
      call.name === "epoll_ctl" && call.args.includes(`, ${fd}, `)
    );
    const counts: Record<string, number> = {};
    for (const { name } of made) counts[name] = (counts[name] ?? 0) + 1;
    // Added once, deleted once; then it is closed.
    assertEquals(counts, { epoll_ctl: 2, recvfrom: 50, sendto: 50, close: 1 });
    const timers = calls.filter(({ name }) => name.startsWith("timerfd_"));
    assertEquals(timers, []);
  },
);
