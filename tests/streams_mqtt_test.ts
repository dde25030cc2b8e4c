/**
 * Other people's code over streams: an MQTT broker (aedes) and clients (mqtt),
 * which take a Duplex of node:stream.
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import {
  type ClientOptions,
  createBroker,
  createClient,
  type MqttClient,
} from "./support/mqtt.ts";
import {
  bytes,
  type Net,
  netTest,
  pattern,
  text,
} from "./support/stream_nets.ts";
import { until, within } from "./support/within.ts";

/** A broker that serves a net's connections, and what makes clients of it. */
async function withBroker(
  net: Net,
  fn: (
    connect: (options?: ClientOptions) => Promise<MqttClient>,
    conns: Deno.Conn[],
  ) => Promise<void>,
): Promise<void> {
  const broker = await createBroker();
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const clients: MqttClient[] = [];
  const serving = (async () => {
    for await (const conn of listener) broker.handle(asDuplex(conn));
  })();
  await fn(async (options = {}) => {
    const conn = await net.connect({ port: listener.addr.port });
    conns.push(conn);
    const quiet = { reconnectPeriod: 0, keepalive: 0 };
    const client = await createClient(asDuplex(conn), { ...quiet, ...options });
    client.on("error", () => {});
    clients.push(client);
    const connected = new Promise<void>((resolve) =>
      client.once("connect", resolve)
    );
    await within(connected, "connecting");
    return client;
  }, conns);
  for (const client of clients) await within(client.endAsync(true));
  await within(new Promise<void>((resolve) => broker.close(resolve)));
  listener.close();
  await within(serving);
}

function asDuplex(conn: Deno.Conn): Duplex {
  const { readable, writable } = conn;
  const duplex = Duplex.fromWeb({ readable, writable });
  // What fails is told by the broker and the clients.
  duplex.on("error", () => {});
  return duplex;
}

netTest("an MQTT broker hands messages on, in order and whole", async (net) => {
  await withBroker(net, async (connect) => {
    const subscriber = await connect();
    const publisher = await connect();
    const heard: string[] = [];
    let large: Uint8Array | undefined;
    subscriber.on("message", (topic, payload) => {
      if (topic === "large") large = payload;
      else heard.push(text(payload));
    });
    await within(subscriber.subscribeAsync(["count", "large"], { qos: 1 }));
    const numbers = Array.from({ length: 500 }, (_, number) => String(number));
    await within(Promise.all(
      numbers.map((number) =>
        publisher.publishAsync("count", number, { qos: 1 })
      ),
    ));
    const megabytes = pattern(3_000_000);
    await within(
      publisher.publishAsync("large", Buffer.from(megabytes), { qos: 1 }),
    );
    await until(() => large !== undefined);
    assertEquals(heard, numbers);
    assert(Buffer.from(megabytes).equals(large ?? bytes("")));
  });
});

netTest(
  "an MQTT broker tells of a client whose connection is gone",
  async (net) => {
    await withBroker(net, async (connect, conns) => {
      const subscriber = await connect();
      const wills: string[] = [];
      subscriber.on("message", (_, payload) => wills.push(text(payload)));
      await within(subscriber.subscribeAsync("wills"));
      await connect({
        will: { topic: "wills", payload: bytes("gone"), qos: 0, retain: false },
      });
      conns[1].close();
      await until(() => wills.length === 1);
      assertEquals(wills, ["gone"]);
    });
  },
);
