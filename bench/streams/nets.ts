/** Deno's own listeners and connections, or Edgewise's. */

/** What both have. */
export interface Net {
  listen(options: Deno.TcpListenOptions): Deno.TcpListener;
  connect(options: Deno.ConnectOptions): Promise<Deno.TcpConn>;
}

/** That of a name; the other one is not loaded. */
export async function netOf(name: string): Promise<Net> {
  return name === "deno" ? Deno : await import("../../src/net/streams.ts");
}
