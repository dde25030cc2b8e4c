/** pipe2(2): pages that one end fills and the other empties. */
import { EBADF, EPIPE } from "../../ffi/errno_codes.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from "../../ffi/constants.ts";
import { EPOLLRDNORM, EPOLLWRNORM } from "../../ffi/constants.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import { EVERYBODY, OpenFile } from "./open_file.ts";

/** Bytes of a page: what is written at once goes to pages of its own. */
const PAGE = 4096;
/** Pages of a pipe. */
const PAGES_MAX = 16;

interface Page {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/** What the two ends share. */
class Pages {
  readonly list: Page[] = [];
  /** The kernel tells of every write once somebody has looked with poll(2). */
  polled = false;

  get full(): boolean {
    return this.list.length >= PAGES_MAX;
  }
}

/** The two ends of a new pipe: to read from, to write to. */
export function pipe(nonblocking: boolean): [PipeReader, PipeWriter] {
  const pages = new Pages();
  const reader = new PipeReader(pages, nonblocking);
  const writer = new PipeWriter(pages, reader, nonblocking);
  reader.writer = writer;
  return [reader, writer];
}

/** The end to read from. */
export class PipeReader extends OpenFile {
  /** Null once it is closed. */
  writer: PipeWriter | null = null;
  readonly #pages: Pages;

  constructor(pages: Pages, nonblocking: boolean) {
    super(nonblocking);
    this.#pages = pages;
  }

  override poll(): number {
    this.#pages.polled = true;
    const readable = this.#pages.list.length > 0 ? EPOLLIN | EPOLLRDNORM : 0;
    return this.writer === null ? readable | EPOLLHUP : readable;
  }

  override read(buffer: Bytes): number {
    const { list } = this.#pages;
    if (buffer.length === 0) return 0;
    const wasFull = this.#pages.full;
    let count = 0;
    while (count < buffer.length && list.length > 0) {
      const [page] = list;
      const part = page.bytes.subarray(
        page.start,
        Math.min(page.end, page.start + buffer.length - count),
      );
      buffer.set(part, count);
      count += part.length;
      page.start += part.length;
      if (page.start === page.end) list.shift();
    }
    // Room is told of only where there was none.
    if (wasFull && !this.#pages.full) this.writer?.wake(EPOLLOUT | EPOLLWRNORM);
    if (count > 0 || this.writer === null) return count;
    return this.wouldBlock();
  }

  override write(): number {
    return -EBADF;
  }

  override release(): void {
    const { writer } = this;
    if (writer === null) return;
    writer.reader = null;
    writer.wake(EVERYBODY);
  }
}

/** The end to write to. */
export class PipeWriter extends OpenFile {
  /** Null once it is closed. */
  reader: PipeReader | null;
  readonly #pages: Pages;

  constructor(pages: Pages, reader: PipeReader, nonblocking: boolean) {
    super(nonblocking);
    this.#pages = pages;
    this.reader = reader;
  }

  override poll(): number {
    this.#pages.polled = true;
    const writable = this.#pages.full ? 0 : EPOLLOUT | EPOLLWRNORM;
    return this.reader === null ? writable | EPOLLERR : writable;
  }

  override read(): number {
    return -EBADF;
  }

  override write(bytes: Bytes): number {
    const { list } = this.#pages;
    if (bytes.length === 0) return 0;
    if (this.reader === null) return -EPIPE;
    const wasEmpty = list.length === 0;
    let count = this.#merge(bytes);
    while (count < bytes.length && !this.#pages.full) {
      const page = { bytes: new Uint8Array(PAGE), start: 0, end: 0 };
      const part = bytes.subarray(count, count + PAGE);
      page.bytes.set(part);
      page.end = part.length;
      list.push(page);
      count += part.length;
    }
    if (wasEmpty || this.#pages.polled) {
      this.reader.wake(EPOLLIN | EPOLLRDNORM);
    }
    return count > 0 ? count : this.wouldBlock();
  }

  /** What does not fill a page goes into the last one, whole or not at all. */
  #merge(bytes: Bytes): number {
    const last = this.#pages.list.at(-1);
    const odd = bytes.length % PAGE;
    if (last === undefined || last.end + odd > PAGE) return 0;
    last.bytes.set(bytes.subarray(0, odd), last.end);
    last.end += odd;
    return odd;
  }

  override release(): void {
    const { reader } = this;
    if (reader === null) return;
    reader.writer = null;
    reader.wake(EVERYBODY);
  }
}
