/** A program for streams_process_test.ts: `deno` or `edgewise`, and what to do. */
import { NETS } from "./support/stream_nets.ts";

const [name, what] = Deno.args;
const net = NETS.find((net) => net.name === name);
if (net === undefined) throw new Error(`There is no ${name}`);

const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
const connecting = net.connect({ port: listener.addr.port });
const server = await listener.accept();
const client = await connecting;
const buffer = new Uint8Array(8);

/** Says what comes of a promise. */
function tell(label: string, promise: Promise<unknown>): void {
  promise.then(
    () => console.log(label),
    (error) => console.log(`${label}: ${error}`),
  );
}

const programs: Record<string, () => void> = {
  "leaves everything open": () => {},
  "waits unreferenced": () => {
    listener.unref();
    client.unref();
    tell("accepted", listener.accept());
    tell("read", client.read(buffer));
  },
  "unreferences what waits": () => {
    tell("accepted", listener.accept());
    tell("read", client.read(buffer));
    setTimeout(() => {
      listener.unref();
      client.unref();
    });
  },
  "reads a stream unreferenced": () => {
    client.unref();
    tell("read", client.readable.getReader().read());
  },
  "goes on unreferenced": () => {
    client.unref();
    const alive = setInterval(() => {}, 60_000);
    tell("read", client.read(buffer).then(() => clearInterval(alive)));
    setTimeout(() => server.write(buffer), 20);
  },
  "references again": () => {
    client.unref();
    tell("read", client.read(buffer));
    client.ref();
    setTimeout(() => server.write(buffer), 20);
  },
  "waits for a client": () => {
    console.log(`listening on 127.0.0.1:${listener.addr.port}`);
    tell("accepted", listener.accept());
  },
};
programs[what]();
