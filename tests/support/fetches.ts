import { assertEquals } from "@std/assert";
import { within } from "./within.ts";

/** Some fetches, one after the other, from a server of this thread. */
export async function fetches(count: number): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("hello"),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  for (let index = 0; index < count; index++) {
    const response = await within(fetch(url), "a fetch");
    assertEquals(await response.text(), "hello");
  }
}
