/** Bun.serve. */

declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(): Response;
  }): { port: number };
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () => new Response("hello\n"),
});
console.log(`listening on 127.0.0.1:${server.port}`);
