/** An engine worker that does what its data says. */
import {
  type Engine,
  type InboxAddress,
  Outbox,
  runEngineWorker,
  SystemError,
} from "../../mod.ts";

/** What the worker is to do. */
export interface Role {
  name: keyof typeof roles;
  address?: InboxAddress;
  value?: unknown;
}

const outboxes: Outbox[] = [];

const roles = {
  /** Listens, echoes, and returns its port. */
  echo(engine: Engine) {
    return engine.listen({ port: 0 }, {
      data: (connection, chunk) => void connection.write(chunk),
    }).port;
  },
  /** Returns what it was given. */
  value: (_: Engine, { value }: Role) => value,
  /** Returns the address of an inbox that posts each message back. */
  mirror(engine: Engine, { address }: Role) {
    if (address === undefined) throw new Error("no address");
    const outbox = new Outbox(address);
    outboxes.push(outbox);
    return engine.inbox({}, (message) => void outbox.post(message)).address;
  },
  stops: (engine: Engine) => void engine.timer(1, () => engine.stop()),
  stopsAtOnce: (engine: Engine) => engine.stop(),
  fails() {
    throw new Error("from setup");
  },
  failsWithCode() {
    throw new SystemError("bind", 98, { fd: 7, address: "127.0.0.1:80" });
  },
  failsOddly() {
    throw () => "no clone of this";
  },
  returnsFunction: () => () => {},
  failsLater(engine: Engine) {
    engine.timer(1, () => {
      throw new Error("from a handler");
    });
  },
  async isAsync(_: Engine, { value }: Role) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return value;
  },
  /** Tells that its setup has begun, and returns once it is told to. */
  waits(engine: Engine, { address, value }: Role) {
    engine.listen({ port: 0 }, {});
    if (address === undefined) throw new Error("no address");
    using outbox = new Outbox(address);
    outbox.notify();
    Atomics.wait(value as Int32Array<SharedArrayBuffer>, 0, 0);
    return "late";
  },
};

runEngineWorker((engine, data) => {
  const role = data as Role;
  return roles[role.name](engine, role);
}, {
  stopped() {
    for (const outbox of outboxes) outbox.close();
  },
});
