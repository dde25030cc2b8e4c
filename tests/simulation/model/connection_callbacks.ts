/** The handlers of connections: each tells its link, and then does as scripted. */
import type {
  Connection,
  ConnectionHandlers,
  SystemError,
} from "../../../mod.ts";
import type { Callback, ConnectionScenario } from "./connection_steps.ts";
import type { Letter, Link } from "./link.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import { expect } from "./violation.ts";

/** What a peer that is not there, or not any more, can cause. */
const CAUSES = ["ECONNREFUSED", "ECONNRESET", "EPIPE"];

/** Makes the handlers of one run. */
export class Callbacks {
  readonly #scenario: ConnectionScenario;
  readonly #trial: Trial;
  readonly #now: () => number;
  /** What scripts name. */
  readonly #places: readonly (Link | null)[];
  #running = false;
  #forbidden = false;

  constructor(
    scenario: ConnectionScenario,
    trial: Trial,
    now: () => number,
    places: readonly (Link | null)[],
  ) {
    this.#scenario = scenario;
    this.#trial = trial;
    this.#now = now;
    this.#places = places;
  }

  /** Runs what must not call a handler: a verb, outside of a turn. */
  noneDuring(verb: () => void): void {
    this.#forbidden = true;
    try {
      verb();
    } finally {
      this.#forbidden = false;
    }
  }

  /** Handlers; `owner` knows the link of a connection. */
  handlers(owner: (connection: Connection) => Link): ConnectionHandlers {
    const { hasEnd, hasTimeout } = this.#scenario;
    const handle = (
      connection: Connection,
      letter: Letter,
      callback: Callback | null,
      body: (link: Link) => void = () => {},
    ) => this.#handle(owner(connection), letter, callback, body);
    return {
      open: (connection) => handle(connection, "o", "open"),
      data: (connection, chunk) =>
        handle(connection, "d", "data", (link) => link.data(chunk)),
      drain: (connection) =>
        handle(connection, "r", "drain", (link) => link.drained()),
      error: (connection, error) =>
        handle(connection, "x", null, (link) => this.#excuse(link, error)),
      close: (connection) => handle(connection, "c", "close"),
      ...(hasTimeout && {
        timeout: (connection: Connection) =>
          handle(connection, "t", null, (link) => link.timedOut(this.#now())),
      }),
      ...(hasEnd && {
        end: (connection: Connection) =>
          handle(connection, "e", "end", (link) => link.peerEnded()),
      }),
    };
  }

  #handle(
    link: Link,
    letter: Letter,
    callback: Callback | null,
    body: (link: Link) => void,
  ): void {
    this.#trial.handler();
    expect(!this.#forbidden, () => `${letter} is called inside a verb`);
    expect(!this.#running, () => `${letter} is called inside a handler`);
    this.#running = true;
    try {
      link.called(letter);
      body(link);
      if (callback !== null) this.#act(link, callback);
    } finally {
      this.#running = false;
    }
  }

  /** The next script of a callback. */
  #act(link: Link, callback: Callback): void {
    for (const action of link.scripts[callback]?.shift() ?? []) {
      if (action.do === "throw") throw new ScriptedError();
      this.#places[action.at]?.use(action, this.#now());
    }
  }

  /** An error must have a cause. */
  #excuse(link: Link, error: SystemError): void {
    const { peer } = link;
    if (error.code === "ETIMEDOUT") return link.timedOut(this.#now());
    const broken = peer === null || peer.broke || peer.failed;
    const excused = broken && CAUSES.includes(error.code);
    expect(
      excused || this.#trial.faulty,
      () => `link ${link.stream}: ${error.message}`,
    );
  }
}
