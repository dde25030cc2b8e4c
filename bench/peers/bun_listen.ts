/** Bun.listen, with what a socket did not take kept until it drains. */

interface Socket {
  data: Uint8Array[];
  write(bytes: Uint8Array): number;
}

declare const Bun: {
  listen(options: {
    hostname: string;
    port: number;
    socket: {
      open(socket: Socket): void;
      data(socket: Socket, chunk: Uint8Array): void;
      drain(socket: Socket): void;
    };
  }): { port: number };
};

const listener = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = [];
    },
    data(socket, chunk) {
      if (socket.data.length > 0) {
        socket.data.push(chunk);
        return;
      }
      const sent = socket.write(chunk);
      if (sent < chunk.length) socket.data.push(chunk.subarray(sent));
    },
    drain(socket) {
      for (;;) {
        const chunk = socket.data.shift();
        if (chunk === undefined) return;
        const sent = socket.write(chunk);
        if (sent < chunk.length) {
          socket.data.unshift(chunk.subarray(sent));
          return;
        }
      }
    },
  },
});
console.log(`listening on 127.0.0.1:${listener.port}`);
