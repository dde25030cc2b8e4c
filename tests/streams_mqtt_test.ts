/**
 * Other people's code over streams: an MQTT broker (aedes) and clients (mqtt),
 * which take a Duplex of node:stream.
 */
import { assert, assertEquals } from "@std/assert";
import { Aedes } from "aedes";
import { type IClientOptions, MqttClient } from "mqtt";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Duplex } from "node:stream";
import {
  bytes,
  type Net,
  netTest,
  pattern,
  text,
} from "./support/stream_nets.ts";
import { until, within } from "./support/within.ts";

const OPTIONS: IClientOptions = {
  reconnectPeriod: 0,
  keepalive: 0,
  protocolVersion: 4,
};

/** A broker that serves a net's connections. */
async function withBroker(
  net: Net,
  fn: (
    connect: (options?: IClientOptions) => Promise<MqttClient>,
    conns: Deno.Conn[],
  ) => Promise<void>,
): Promise<void> {
  const broker = await Aedes.createBroker();
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const clients: MqttClient[] = [];
  const serving = (async () => {
    for await (const conn of listener) broker.handle(asDuplex(conn));
  })();
  await fn(async (options = {}) => {
    const conn = await net.connect({ port: listener.addr.port });
    conns.push(conn);
    const client = new MqttClient(() => asDuplex(conn), {
      ...OPTIONS,
      ...options,
    });
    client.on("error", () => {});
    clients.push(client);
    await within(once(client, "connect"), "connecting");
    return client;
  }, conns);
  for (const client of clients) await within(client.endAsync(true));
  await within(new Promise<void>((resolve) => broker.close(resolve)));
  listener.close();
  await within(serving);
}

function asDuplex(conn: Deno.Conn): Duplex {
  const duplex = Duplex.fromWeb(conn);
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
