/** Writes, chunks and files at random, with a kernel that takes what it likes. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { rmSync, writeFileSync } from "node:fs";
import { EINTR, systemCalls } from "../ffi/mod.ts";
import { type Connection, Engine } from "../mod.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  pattern,
  Recorder,
  runUntil,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { generator } from "./support/random.ts";

const FILE = pattern(3_000_000, 77);
const OPERATIONS = 60;

/** A kernel that interrupts, and takes a part; it lies about no room. */
function moody(next: (limit: number) => number) {
  const part = (length: number) => next(4) === 0 ? 1 + next(length) : length;
  return replacing({
    send(fd, bytes, flags) {
      if (next(9) === 0) return -EINTR;
      return systemCalls.send(fd, bytes.subarray(0, part(bytes.length)), flags);
    },
    writev(fd, chunks, count) {
      if (next(9) === 0) return -EINTR;
      return systemCalls.writev(fd, chunks, 1 + next(count));
    },
    sendfile(outFd, inFd, offset, count) {
      if (next(9) === 0) return -EINTR;
      return systemCalls.sendfile(outFd, inFd, offset, part(count));
    },
  });
}

for (let seed = 1; seed <= 12; seed++) {
  triggerTest(
    `everything arrives in the order it was sent, seed ${seed}`,
    (trigger) => {
      const next = generator(seed);
      const directory = mkdtempSync(`${tmpdir()}/edgewise-`);
      const path = `${directory}/file`;
      writeFileSync(path, FILE);
      try {
        using engine = new Engine({ trigger }, moody(next));
        const bufferMax = [0, 5_000, 300_000][seed % 3] as number;
        const recorder = new Recorder();
        const mergeWrites = seed % 2 === 0;
        const listener = engine.listen(
          { bufferMax, mergeWrites },
          recorder.handlers(),
        );
        using peer = Peer.connect(listener.port);
        runUntil(engine, () => recorder.has("open"));
        const { connection } = recorder;

        const sent: Uint8Array[] = [];
        /** Does something at random; notes what was accepted. */
        const operate = (connection: Connection) => {
          const bytes = pattern(
            1 + next(next(2) === 0 ? 200_000 : 200),
            next(1000),
          );
          switch (next(4)) {
            case 0:
              sent.push(bytes.slice(0, connection.write(bytes)));
              break;
            case 1: {
              const cuts = [next(bytes.length), next(bytes.length)]
                .sort((a, b) => a - b);
              const [a = 0, b = 0] = cuts;
              const chunks = [
                bytes.subarray(0, a),
                bytes.subarray(a, b),
                bytes.subarray(b),
              ];
              sent.push(bytes.slice(0, connection.writev(chunks)));
              break;
            }
            case 2: {
              const offset = next(FILE.length);
              const length = next(Math.min(FILE.length - offset, 400_000));
              connection.sendFile(path, { offset, length });
              sent.push(FILE.subarray(offset, offset + length));
              break;
            }
            default:
              engine.turn(0);
          }
        };

        const received: Uint8Array[] = [];
        const receive = () => {
          const chunk = peer.receive(1 + next(300_000));
          if (typeof chunk !== "string") received.push(chunk);
          return chunk;
        };
        for (let count = 0; count < OPERATIONS; count++) {
          operate(connection);
          if (next(3) === 0) receive();
        }
        connection.end();
        runUntil(engine, () => {
          for (;;) {
            const chunk = receive();
            if (chunk === "end") return true;
            if (typeof chunk === "string") return false;
          }
        });
        assert(Buffer.concat(received).equals(Buffer.concat(sent)));
        assertEquals(connection.bufferedBytes, 0);
        assertEquals(recorder.has("close"), false);
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  );
}
