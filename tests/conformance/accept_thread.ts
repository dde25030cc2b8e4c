/** One of several engines that wait on one listening socket. */
import { accept4, check, close, EAGAIN } from "../../ffi/mod.ts";
import { Engine, type FdEvent } from "../../mod.ts";
import {
  ACCEPTED,
  type AcceptTask,
  GO_ON,
  READY,
  STALLED,
  TOLD,
} from "./accept_task.ts";
import { raiseWord } from "./thread.ts";
import { threadBody } from "./thread_body.ts";

threadBody((task: AcceptTask) => {
  using engine = new Engine({ trigger: task.trigger });
  engine.register(task.stop, { read: () => engine.stop() }).enableRead();
  if (task.mode === "listen") {
    listen(engine, task);
  } else {
    const event = engine.register(task.listener, {
      read: task.mode === "tell"
        ? (event) => tell(event, task)
        : (event) => stallOrAccept(event, task),
    });
    if (task.exclusive) event.enableAccept();
    else event.enableRead();
  }
  engine.commit();
  count(task, READY);
  engine.run();
});

function tell(event: FdEvent, task: AcceptTask): void {
  event.disableRead();
  count(task, TOLD);
}

function stallOrAccept(event: FdEvent, task: AcceptTask): void {
  const { words } = task;
  if (Atomics.compareExchange(words, STALLED, 0, 1) === 0) {
    raiseWord(words, STALLED, 1);
    Atomics.wait(words, GO_ON, 0);
  }
  for (;;) {
    const fd = accept4(event.fd, 0);
    if (fd === -EAGAIN) return;
    close(check(fd, "accept4"));
    count(task, ACCEPTED);
  }
}

function listen(engine: Engine, task: AcceptTask): void {
  const { listener: fd, exclusive } = task;
  engine.listen({ fd, exclusive }, {
    open(connection) {
      connection.close();
      count(task, ACCEPTED);
    },
  });
}

function count({ words }: AcceptTask, index: number): void {
  Atomics.add(words, index, 1);
  Atomics.notify(words, index);
}
