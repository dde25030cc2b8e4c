/**
 * What is used of the npm packages aedes, an MQTT broker, and mqtt, its client.
 * They are loaded by name, as their own types bring others of Node.js along, which
 * differ from Deno's.
 */
import type { Duplex } from "node:stream";

/** A broker. */
export interface Broker {
  /** Serves a client. */
  handle(stream: Duplex): void;
  close(closed: () => void): void;
}

/** How a client is. */
export interface ClientOptions {
  reconnectPeriod?: number;
  keepalive?: number;
  will?: { topic: string; payload: Uint8Array; qos: 0; retain: boolean };
}

/** At least once. */
interface Quality {
  qos: 1;
}

/** A client. */
export interface MqttClient {
  once(event: "connect", handler: () => void): void;
  on(event: "error", handler: (error: Error) => void): void;
  on(
    event: "message",
    handler: (topic: string, payload: Uint8Array) => void,
  ): void;
  subscribeAsync(
    topics: string | string[],
    quality?: Quality,
  ): Promise<unknown>;
  publishAsync(
    topic: string,
    payload: string | Uint8Array,
    quality: Quality,
  ): Promise<unknown>;
  endAsync(force: boolean): Promise<void>;
}

const load = (name: string) => import(name);

/** A new broker. */
export async function createBroker(): Promise<Broker> {
  const { Aedes } = await load("aedes");
  return await Aedes.createBroker();
}

/** A new client, over a stream. */
export async function createClient(
  stream: Duplex,
  options: ClientOptions,
): Promise<MqttClient> {
  const { MqttClient } = await load("mqtt");
  return new MqttClient(() => stream, options);
}
