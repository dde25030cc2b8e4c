/** Finding and opening the C library, under every permission. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  findLibrary,
  LibraryError,
  type LibraryErrorCode,
} from "../ffi/library.ts";
import { architecture } from "../ffi/mod.ts";
import type { Runtime, SymbolTable } from "../ffi/runtime.ts";
import { test } from "./support/descriptors.ts";
import { runDeno } from "./support/process.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";

/** A runtime that has these libraries and permits these paths. */
class FakeRuntime implements Runtime {
  platform = "linux";
  machine = "x64";
  openSource = "";
  nonblocking = true;
  /** What was tried, in order. */
  readonly opened: string[] = [];
  readonly #libraries: string[];
  readonly #permitted: string[] | "all";

  constructor(libraries: string[], permitted: string[] | "all") {
    this.#libraries = libraries;
    this.#permitted = permitted;
  }

  granted(path?: string): boolean {
    if (this.#permitted === "all") return true;
    return path !== undefined && this.#permitted.includes(path);
  }

  open(path: string, table: SymbolTable): never {
    this.opened.push(path);
    if (!this.#libraries.includes(path)) throw new Error("no such file");
    if ("missing" in table) throw new TypeError("undefined symbol: missing");
    return {} as never;
  }

  view(): never {
    throw new Error("not reached");
  }

  errorClass(): never {
    throw new Error("not reached");
  }
}

const DEBIAN = "/lib/x86_64-linux-gnu/libc.so.6";
const FEDORA = "/lib64/libc.so.6";
const MUSL = "/lib/ld-musl-x86_64.so.1";

function refusal(runtime: Runtime): [LibraryErrorCode, string] {
  const error = assertThrows(() => findLibrary(runtime), LibraryError);
  assertEquals(error.name, "LibraryError");
  return [error.code, error.message];
}

test("the whole permission opens the library by name, and views memory", () => {
  const runtime = new FakeRuntime(["libc.so.6"], "all");
  const { path, viewable } = findLibrary(runtime);
  assertEquals({ path, viewable }, { path: "libc.so.6", viewable: true });
});

test("musl's library is found by its own name, after glibc's", () => {
  const name = "libc.musl-x86_64.so.1";
  const runtime = new FakeRuntime([name], "all");
  assertEquals(findLibrary(runtime).path, name);
  assertEquals(runtime.opened, ["libc.so.6", name]);
  const loaderOnly = new FakeRuntime([MUSL], "all");
  assertEquals(findLibrary(loaderOnly).path, MUSL);
});

test("a permission for one path opens that path, and views no memory", () => {
  for (const granted of [DEBIAN, FEDORA, MUSL]) {
    const runtime = new FakeRuntime([DEBIAN, FEDORA, MUSL], [granted]);
    const { path, viewable } = findLibrary(runtime);
    assertEquals({ path, viewable }, { path: granted, viewable: false });
    assertEquals(runtime.opened, [granted]);
  }
});

test("paths are those of the machine", () => {
  const path = "/lib/aarch64-linux-gnu/libc.so.6";
  const runtime = new FakeRuntime([path], [path]);
  runtime.machine = "arm64";
  assertEquals(findLibrary(runtime).path, path);
});

test("without permission nothing is opened, and the flag is named", () => {
  const runtime = new FakeRuntime([DEBIAN], ["/elsewhere/libc.so.6"]);
  assertEquals(refusal(runtime), [
    "NOT_PERMITTED",
    `Cannot open the C library without permission: run again with ` +
    `--allow-ffi=${DEBIAN} (its path on this system), or with --allow-ffi`,
  ]);
  assertEquals(runtime.opened, []);
});

test("a library that is nowhere is told with all the places", () => {
  const [code, message] = refusal(new FakeRuntime([], [DEBIAN, FEDORA]));
  assertEquals(code, "NOT_FOUND");
  assertStringIncludes(message, `at ${DEBIAN}, ${FEDORA}: run again with`);
});

test("a system that is not Linux is told by its name", () => {
  const runtime = new FakeRuntime([], "all");
  runtime.platform = "darwin";
  assertEquals(refusal(runtime), [
    "NOT_SUPPORTED",
    "Cannot use epoll outside Linux: the current system is darwin",
  ]);
});

test("a machine of another kind is told by its name", () => {
  const runtime = new FakeRuntime([], "all");
  runtime.machine = "riscv64";
  assertEquals(refusal(runtime), [
    "NOT_SUPPORTED",
    "Cannot use the C library but on x64 and arm64: the current machine is riscv64",
  ]);
});

test("a missing symbol is told with the library and the cause", () => {
  const library = findLibrary(new FakeRuntime(["libc.so.6"], "all"));
  const error = assertThrows(
    () =>
      library.open({
        missing: { parameters: [], result: "i32" },
        alias: { name: "other", parameters: [], result: "i32" },
      }),
    LibraryError,
    "Cannot find missing, other in the C library libc.so.6: use glibc or musl",
  );
  assertEquals(error.code, "SYMBOL_MISSING");
  assertEquals(error.cause, new TypeError("undefined symbol: missing"));
});

const CHILD = "tests/ffi_permission_child.ts";

test("the raw layer works under the scoped permission alone", async () => {
  const result = await runDeno(CHILD, { flags: [scopedFlag] });
  assertEquals(result, {
    code: 0,
    signal: null,
    stdout: "eventfd works, read: EBADF, UnsafePointer: NotCapable\n",
    stderr: "",
  });
});

test("the raw layer works under the whole permission", async () => {
  for (const flags of [["--allow-ffi"], ["--allow-ffi", "--deny-ffi=/x.so"]]) {
    const result = await runDeno(CHILD, { flags });
    assertStringIncludes(result.stdout, "eventfd works, read: EBADF");
    assertEquals(result.code, 0);
  }
});

for (const flags of [[], ["--no-prompt"], ["--allow-ffi=/elsewhere.so"]]) {
  const name = flags.join(" ") || "no flag";
  test(`${name}: importing works, the first call tells the flag`, async () => {
    const result = await runDeno(CHILD, { flags });
    assertEquals([result.code, result.stdout], [
      3,
      "LibraryError NOT_PERMITTED\n",
    ]);
    assertStringIncludes(
      result.stderr,
      `--allow-ffi=/lib/${architecture}-linux-gnu/libc.so.6`,
    );
  });
}
