/**
 * llhttp, the parser of Node.js, as the package undici ships it in WebAssembly.
 */
import {
  ERROR,
  METHODS,
  TYPE,
} from "npm:undici@8.13.1/lib/llhttp/constants.js";
import wasm from "npm:undici@8.13.1/lib/llhttp/llhttp_simd-wasm.js";

export { ERROR };

/** What of llhttp is used. */
interface Llhttp {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(state: number): void;
  llhttp_reset(state: number): void;
  llhttp_execute(state: number, from: number, length: number): number;
  llhttp_get_error_pos(state: number): number;
  llhttp_resume(state: number): void;
  llhttp_resume_after_upgrade(state: number): void;
  llhttp_get_method(state: number): number;
  llhttp_get_http_major(state: number): number;
  llhttp_get_http_minor(state: number): number;
}

/** Whom llhttp tells what it finds; what is returned ends that if it is not 0. */
export interface ParserEvents {
  begun(): number;
  targetAt(at: number, length: number): number;
  nameAt(at: number, length: number): number;
  valueAt(at: number, length: number): number;
  headEnded(keepAlive: number): number;
  bodyAt(at: number, length: number): number;
}

/** Whose bytes llhttp is at. */
let current: ParserEvents;

/** Its functions. */
export const llhttp = new WebAssembly.Instance(new WebAssembly.Module(wasm), {
  env: {
    wasm_on_message_begin: () => current.begun(),
    wasm_on_url: (_: number, at: number, length: number) =>
      current.targetAt(at, length),
    wasm_on_status: () => 0,
    wasm_on_header_field: (_: number, at: number, length: number) =>
      current.nameAt(at, length),
    wasm_on_header_value: (_: number, at: number, length: number) =>
      current.valueAt(at, length),
    wasm_on_headers_complete: (
      _state: number,
      _status: number,
      _upgrade: number,
      keepAlive: number,
    ) => current.headEnded(keepAlive),
    wasm_on_body: (_: number, at: number, length: number) =>
      current.bodyAt(at, length),
    wasm_on_message_complete: () => ERROR.PAUSED,
  },
}).exports as unknown as Llhttp;

/** All of its memory, which is another buffer once it has grown. */
export let memory = new Uint8Array(llhttp.memory.buffer);

/** The names of methods by llhttp's numbers. */
export const METHOD_NAMES: string[] = [];
for (const [name, number] of Object.entries(METHODS)) {
  METHOD_NAMES[number] = name;
}

/** Makes room for bytes. */
export function allocateBytes(length: number): number {
  return grown(llhttp.malloc(length));
}

/** Makes the state of one connection's requests. */
export function allocateState(): number {
  return grown(llhttp.llhttp_alloc(TYPE.REQUEST));
}

/** Parses bytes of its memory. Returns 0, or a number of `ERROR`. */
export function parseFor(
  events: ParserEvents,
  state: number,
  from: number,
  to: number,
): number {
  current = events;
  return llhttp.llhttp_execute(state, from, to - from);
}

function grown(address: number): number {
  if (memory.length === 0) memory = new Uint8Array(llhttp.memory.buffer);
  return address;
}
