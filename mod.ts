/**
 * Linux's event machinery for Deno: epoll through the runtime's FFI, and a typed
 * engine on top.
 *
 * @example An echo server
 * ```ts
 * import { Engine } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * const listener = engine.listen({ port: 0 }, {
 *   data(connection, chunk) {
 *     connection.write(chunk);
 *   },
 * });
 * console.log(`listening on 127.0.0.1:${listener.port}`);
 * engine.timer(10, () => engine.stop());
 * engine.run();
 * ```
 *
 * @module
 */

import "./src/modules.ts";

export { Engine } from "./src/engine.ts";
export {
  EngineWorker,
  type EngineWorkerOptions,
  runEngineWorker,
  type RunEngineWorkerOptions,
} from "./src/engine_worker.ts";
export { FdEvent } from "./src/fd_event.ts";
export type { FdHandlers } from "./src/fd_handlers.ts";
export { FileIo, type FileIoOptions } from "./src/file_io.ts";
export { type FileDone, FileOperation } from "./src/file_operations.ts";
export { Inbox, type InboxOptions } from "./src/inbox.ts";
export type { InboxAddress } from "./src/mailbox.ts";
export type { EngineMetrics, QueueDepths } from "./src/metrics.ts";
export type { TimeoutKind } from "./src/net/activity.ts";
export {
  peerCredentials,
  type ReceivedDescriptors,
  receiveDescriptors,
  sendDescriptors,
  type UnixSocket,
} from "./src/net/ancillary.ts";
export { BaseSocket } from "./src/net/base_socket.ts";
export { Connection } from "./src/net/connection.ts";
export type { SendFileOptions } from "./src/net/pieces.ts";
export {
  Datagram,
  type DatagramHandlers,
  type DatagramOptions,
} from "./src/net/datagram.ts";
export type { DatagramEndpoint } from "./src/net/datagram_open.ts";
export { DatagramPeer, DatagramSocket } from "./src/net/datagram_socket.ts";
export type { ExhaustedPolicy } from "./src/net/exhaustion.ts";
export {
  type InheritedListener,
  inheritedListeners,
} from "./src/net/listening_socket.ts";
export { Listener } from "./src/net/listener.ts";
export type {
  AdoptOptions,
  ConnectionHandlers,
  ConnectOptions,
  ListenOptions,
} from "./src/net/options.ts";
export { ReceivingSocket } from "./src/net/receiving_socket.ts";
export { SendingSocket } from "./src/net/sending_socket.ts";
export type {
  SocketOptionName,
  SocketOptions,
} from "./src/net/socket_options.ts";
export {
  type KeepAliveOptions,
  StreamSocket,
  type TcpInfo,
  type TcpState,
} from "./src/net/stream_socket.ts";
export type { EngineOptions, TimerOptions } from "./src/options.ts";
export { Outbox, type PostOptions, type PostResult } from "./src/outbox.ts";
export { type ProcessExit, ProcessWatch } from "./src/process_watch.ts";
export { SignalBridge } from "./src/signal_bridge.ts";
export { type SignalInfo, SignalWatch } from "./src/signals.ts";
export type {
  RealTimeSignalName,
  SignalName,
  StandardSignalName,
} from "./src/signal_names.ts";
export { withSignalsBlocked } from "./src/signals_blocked.ts";
export type { EventState } from "./src/states.ts";
export {
  TimerFd,
  type TimerFdClock,
  type TimerFdOptions,
  type TimerFdSetting,
} from "./src/timerfd.ts";
export { Timer } from "./src/timers.ts";
export type { Trigger } from "./src/trigger.ts";
export type {
  DescriptorMessage,
  EngineMessage,
  ErrorMessage,
} from "./src/watch/channels.ts";
export { EngineView } from "./src/watch/engine_view.ts";
export { Histogram } from "./src/watch/histogram.ts";
export {
  EngineInspection,
  type InspectedDescriptor,
  type InspectedTimers,
} from "./src/watch/inspection.ts";
export type { EngineTimings } from "./src/watch/timings.ts";
export type { TraceEntry, TraceKind } from "./src/watch/tracer.ts";
export { alignedBuffer, SystemError } from "./ffi/mod.ts";
export type {
  Bytes,
  Ipv4Address,
  Ipv6Address,
  PeerCredentials,
  SocketAddress,
  UnixAbstractAddress,
  UnixAddress,
  UnixUnnamedAddress,
} from "./ffi/mod.ts";
