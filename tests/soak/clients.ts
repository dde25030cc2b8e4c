/**
 * The clients of a soak, a process of their own: `clients.ts TARGETS SEED CROWD`,
 * TARGETS in JSON. A loop over a bare epoll, so that the engine under test does
 * not test itself.
 */
import { argv, exit } from "node:process";
import {
  check,
  EAGAIN,
  EPOLL_CLOEXEC,
  epoll_create1,
  epoll_ctl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  epoll_wait,
  EpollEvents,
  EPOLLIN,
  EPOLLOUT,
  F_GETFL,
  F_SETFL,
  fcntl,
  O_NONBLOCK,
  read,
} from "../../ffi/mod.ts";
import { generator } from "../support/random.ts";
import { Client } from "./client.ts";
import {
  type ClientsReport,
  type Order,
  type Target,
  tell,
} from "./reports.ts";

const REPORT_MS = 500;
const EVENTS_MAX = 256;
/** New connections in one go. */
const BEGINS_MAX = 32;
/** Those that are kept open, and quiet, while the servers are measured. */
const KEPT = 50;

/** All clients, over one epoll. */
class Clients {
  readonly #targets: readonly Target[];
  readonly #random: (bound: number) => number;
  readonly #crowd: number;
  readonly #epfd = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  readonly #events = new EpollEvents(EVENTS_MAX);
  readonly #entry = new EpollEvents(1);
  /** By descriptor, with the mask that the kernel has. */
  readonly #clients = new Map<number, { client: Client; mask: number }>();
  readonly #report: ClientsReport = {
    open: 0,
    ended: 0,
    exact: 0,
    resets: 0,
    cutOff: 0,
    bytes: 0,
    violations: [],
  };
  #begun = 0;

  constructor(targets: Target[], seed: number, crowd: number) {
    this.#targets = targets;
    this.#random = generator(seed);
    this.#crowd = crowd;
  }

  /** Keeps a crowd going until the order comes to be calm, then to end. */
  run(): void {
    let reportsAtMs = 0;
    while (nextOrder() === null) {
      this.#fill();
      this.#turn();
      const nowMs = performance.now();
      if (nowMs < reportsAtMs) continue;
      reportsAtMs = nowMs + REPORT_MS;
      this.#tell("running");
    }
    while (this.#clients.size > 0) this.#turn();
    const kept = Array.from({ length: KEPT }, () => this.#silent());
    this.#tell("calm");
    while (nextOrder() !== "end") {
      epoll_wait(this.#epfd, this.#events.words, 1, 50);
    }
    for (const client of kept) client.close();
    this.#tell("ended");
  }

  #fill(): void {
    const { size } = this.#clients;
    const count = Math.min(BEGINS_MAX, this.#crowd - size);
    for (let begun = 0; begun < count; begun++) this.#begin();
  }

  #begin(): void {
    const target = this.#targets[this.#random(this.#targets.length)];
    const client = new Client(target, this.#begun++, this.#random);
    if (client.outcome !== "open") return;
    this.#clients.set(client.fd, { client, mask: client.wants });
    this.#control(EPOLL_CTL_ADD, client.fd, client.wants);
  }

  /** Connected, and nothing more. */
  #silent(): Client {
    const target = this.#targets[this.#random(this.#targets.length)];
    return new Client(target, this.#begun++, this.#random);
  }

  #turn(): void {
    const { words } = this.#events;
    const count = epoll_wait(this.#epfd, words, EVENTS_MAX, 5);
    const nowMs = performance.now();
    for (let index = 0; index < count; index++) {
      this.#serve(this.#events.slot(index), this.#events.mask(index), nowMs);
    }
    for (const [fd, { client }] of this.#clients) {
      const { restsUntilMs } = client;
      if (restsUntilMs === 0 || restsUntilMs > nowMs) continue;
      this.#serve(fd, client.wants | EPOLLIN | EPOLLOUT, nowMs);
    }
  }

  #serve(fd: number, mask: number, nowMs: number): void {
    const entry = this.#clients.get(fd);
    if (entry === undefined) return;
    const { client } = entry;
    client.ready(mask, nowMs);
    if (client.outcome !== "open") return this.#over(client);
    const { wants } = client;
    if (wants === entry.mask) return;
    entry.mask = wants;
    this.#control(EPOLL_CTL_MOD, fd, wants);
  }

  #over(client: Client): void {
    this.#clients.delete(client.fd);
    const report = this.#report;
    report.ended++;
    report.bytes += client.received;
    if (client.outcome === "exact") report.exact++;
    if (client.outcome === "reset") report.resets++;
    if (client.outcome === "cut off") report.cutOff++;
    if (client.violation !== null) report.violations.push(client.violation);
  }

  #control(operation: number, fd: number, mask: number): void {
    this.#entry.set(0, mask, fd, 0);
    check(
      epoll_ctl(this.#epfd, operation, fd, this.#entry.words),
      "epoll_ctl",
    );
  }

  #tell(state: "running" | "calm" | "ended"): void {
    const violations = this.#report.violations.slice(0, 10);
    const report = { ...this.#report, open: this.#clients.size, violations };
    tell<ClientsReport>({ state, report });
  }
}

const input = new Uint8Array(64);

/** What the process that started this one says, if anything. */
function nextOrder(): Order | null {
  const count = read(0, input);
  if (count === -EAGAIN) return null;
  if (count <= 0) exit(1);
  return new TextDecoder().decode(input.subarray(0, count)).trim() as Order;
}

check(
  fcntl(0, F_SETFL, check(fcntl(0, F_GETFL, 0), "fcntl") | O_NONBLOCK),
  "fcntl",
);
const [targets, seed, crowd] = argv.slice(2);
new Clients(JSON.parse(targets), Number(seed), Number(crowd)).run();
exit(0);
