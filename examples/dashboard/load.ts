/**
 * Something for the dashboard to show: echoes in waves, and messages that this
 * thread posts to itself.
 */
import { type Connection, type Engine, Outbox } from "../../mod.ts";

const CONNECTIONS = 12;
const TICK_MS = 10;
const WAVE_MS = 20_000;
const MESSAGE = new Uint8Array(64);

/** Has the engine talk to itself. */
export function startLoad(engine: Engine): void {
  const server = engine.listen({ port: 0 }, {
    data(connection, chunk) {
      connection.write(chunk);
    },
  });
  const clients = Array.from(
    { length: CONNECTIONS },
    () => engine.connect({ port: server.port }, { data: pass }),
  );
  const inbox = engine.inbox({}, () => {});
  const outbox = new Outbox(inbox.address);
  let ticks = 0;
  engine.timer(TICK_MS, () => {
    ticks++;
    const wave = Math.sin(2 * Math.PI * ticks * TICK_MS / WAVE_MS);
    const messages = Math.round(CONNECTIONS * (0.6 + 0.35 * wave));
    for (const client of clients.slice(0, messages)) startEchoes(client);
    if (ticks % 10 === 0) outbox.post(MESSAGE);
    // Comes and goes: a descriptor that the table shows for a moment.
    if (ticks % 300 === 0) visit(engine, server.port);
  }, { repeat: true });
}

/** Sends a message that goes to and fro several times. */
function startEchoes(client: Connection): void {
  client.context = Math.floor(Math.random() * 20);
  client.write(MESSAGE);
}

function pass(client: Connection, chunk: Uint8Array): void {
  const left = client.context as number;
  client.context = left - 1;
  if (left > 0) client.write(chunk);
}

function visit(engine: Engine, port: number): void {
  const visitor = engine.connect({ port }, {});
  engine.timer(1_000, () => visitor.close());
}
