/** Deno.listenDatagram, with one buffer that is used again. */

const buffer = new Uint8Array(65536);
const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "127.0.0.1",
  port: 0,
});
const { port } = socket.addr as Deno.NetAddr;
console.log(`listening on 127.0.0.1:${port}`);
for (;;) {
  const [chunk, from] = await socket.receive(buffer);
  await socket.send(chunk, from);
}
