/** Uses the raw layer under whatever permission it is started with. */
import process from "node:process";
import * as c from "../ffi/mod.ts";

/** What a try to use memory gives. */
function pointers(): string {
  try {
    return String(Deno.UnsafePointer.of(new Uint8Array(8)) !== null);
  } catch (error) {
    return (error as Error).name;
  }
}

try {
  const fd = c.check(c.eventfd(3, c.EFD_CLOEXEC), "eventfd");
  const works = c.read(fd, new Uint8Array(8)) === 8 && c.close(fd) === 0;
  console.log(
    `eventfd ${works ? "works" : "fails"}, read: ${
      c.errnoName(c.read(fd, new Uint8Array(8)))
    }, UnsafePointer: ${pointers()}`,
  );
} catch (error) {
  if (!(error instanceof c.LibraryError)) throw error;
  console.log(`${error.name} ${error.code}`);
  console.error(error.message);
  process.exit(3);
}
