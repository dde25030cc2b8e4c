/**
 * The two web streams of a connection. Neither reads ahead nor buffers: the
 * reader's pulls and the kernel's room set the pace.
 *
 * @module
 */

/** What they are made of. */
export interface ByteSource {
  read(p: Uint8Array): Promise<number | null>;
  /** What is there, as a chunk of its own; null at the end. */
  readChunk(): Promise<Uint8Array<ArrayBuffer> | null>;
  write(p: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** A connection as web streams, each made when it is first asked for. */
export class WebStreams {
  readonly #source: ByteSource;
  readonly #allowHalfOpen: boolean;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | null = null;
  /** Whether one of the two halves has ended. */
  #halfEnded = false;

  constructor(source: ByteSource, allowHalfOpen: boolean) {
    this.#source = source;
    this.#allowHalfOpen = allowHalfOpen;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= new ReadableStream({
      type: "bytes",
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#source.close(),
    }, { highWaterMark: 0 });
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= new WritableStream({
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
      abort: () => this.#source.close(),
    });
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    const request = controller.byobRequest;
    try {
      if (request === null) {
        const chunk = await this.#source.readChunk();
        if (chunk !== null) return controller.enqueue(chunk);
        controller.close();
      } else {
        // The stream's own memory, which nobody else has while this is pending.
        const count = await this.#source.read(request.view as Uint8Array);
        if (count !== null) return request.respond(count);
        controller.close();
        request.respond(0);
      }
    } catch (error) {
      this.#source.close();
      throw error;
    }
    this.#ended();
  }

  async #write(chunk: Uint8Array<ArrayBufferLike>): Promise<void> {
    try {
      const bytes = bytesOf(chunk);
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#source.write(
          sent === 0 ? bytes : bytes.subarray(sent),
        );
      }
    } catch (error) {
      this.#source.close();
      throw error;
    }
  }

  async #close(): Promise<void> {
    if (this.#allowHalfOpen && !this.#halfEnded) {
      await this.#source.closeWrite();
    }
    this.#ended();
  }

  /** One half has come to its end. */
  #ended(): void {
    if (this.#allowHalfOpen && !this.#halfEnded) this.#halfEnded = true;
    else this.#source.close();
  }
}

/** Any view of memory will do. */
function bytesOf(chunk: ArrayBufferView): Uint8Array {
  if (!ArrayBuffer.isView(chunk)) {
    throw new TypeError(
      `Cannot write a chunk: it must be a Uint8Array, and is ${typeof chunk}`,
    );
  }
  if (chunk instanceof Uint8Array) return chunk;
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
