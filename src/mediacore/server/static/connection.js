// Keeps one device's session up: connects, notices when it is lost, and comes back with growing, jittered pauses.

import { InputEncoder, decodePong } from "./input.js";
import { LatencyMeter } from "./latency.js";
import { WhepError, WhepSession } from "./whep.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const PING_MS = 1000;
const PINGS_LOST = 5; // a service that answers none of these is gone
const QUEUE_BYTES = 64 * 1024; // more than this waiting: moves and scrolls are dropped

const CLOSING_WORDS = {
  drain: "the service is shutting down",
  "stream-ended": "the device went away, or its screen cannot be captured any more",
  requested: "this session was ended by the service",
  "viewer-lost": "the service did not hear from this page any more",
};

/** How long to wait before attempt n (0, 1, …): doubles up to a limit, half of it at random. */
export function pauseMs(attempt, random = Math.random) {
  const full = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  return full / 2 + (random() * full) / 2;
}

/**
 * Callbacks: state(name, {words, pauseMs}) with name connecting | connected | reconnecting | failed;
 * stream(MediaStream); event(object) for the service's events; query() → what is wanted, as the query of a request.
 */
export class Connection {
  #endpoint;
  #callbacks;
  #session = null;
  #closed = false;
  #attempt = 0;
  #wake = 0;
  #pings = 0;

  constructor(serial, callbacks) {
    this.#endpoint = `/api/v1/devices/${encodeURIComponent(serial)}/whep`;
    this.#callbacks = callbacks;
    this.encoder = new InputEncoder();
    this.latency = new LatencyMeter();
  }

  /** Connect now; also the answer to "try again". */
  async open() {
    clearTimeout(this.#wake);
    this.#session?.close();
    this.latency = new LatencyMeter();
    if (this.#attempt === 0) this.#callbacks.state("connecting", {});
    const session = new WhepSession({
      stream: (stream) => this.#callbacks.stream(stream),
      event: (event) => this.#event(event),
      binary: (data) => this.#binary(data),
      ended: (error) => this.#lost(session, error),
    });
    this.#session = session;
    try {
      await session.connect(this.#endpoint + this.#callbacks.query());
    } catch (error) {
      this.#lost(session, error);
      return;
    }
    if (this.#session !== session) return;
    this.#attempt = 0;
    this.#callbacks.state("connected", {});
    this.#ping();
    this.#pings = setInterval(() => this.#ping(), PING_MS);
  }

  /** End the session and do not come back. */
  close() {
    this.#closed = true;
    clearTimeout(this.#wake);
    clearInterval(this.#pings);
    this.#session?.close();
    this.#session = null;
  }

  /** Send an input message; with mayDrop it is left out when much is waiting already. */
  send(data, { mayDrop = false } = {}) {
    const session = this.#session;
    if (session === null || (mayDrop && session.queuedBytes > QUEUE_BYTES)) return;
    session.send(data);
  }

  /** Send an event. */
  report(event) {
    this.#session?.send(JSON.stringify({ v: 1, ...event }));
  }

  /** The browser's statistics of the picture that comes in, or null. */
  async inbound() {
    const report = await this.#session?.getStats();
    return [...(report?.values() ?? [])].find((entry) => entry.type === "inbound-rtp" && entry.kind === "video") ?? null;
  }

  #ping() {
    if (!this.#session?.open) return;
    if (this.latency.unanswered >= PINGS_LOST) {
      this.#session.close();
      this.#lost(this.#session, new WhepError("the service does not answer any more", { code: "silent" }));
      return;
    }
    this.send(this.encoder.ping(this.latency.ping()));
  }

  #binary(data) {
    const pong = decodePong(data);
    if (pong !== null) this.latency.pong(pong);
  }

  #event(event) {
    if (event.v !== 1) return;
    if (event.type === "clock") this.latency.clock(event);
    else if (event.type === "closing") {
      const session = this.#session;
      session?.close({ tellService: false });
      const words = event.detail ?? CLOSING_WORDS[event.reason] ?? `the service closed the session (${event.reason})`;
      this.#lost(session, new WhepError(words, { code: event.reason, retry: event.reason !== "requested" }));
    } else this.#callbacks.event(event);
  }

  #lost(session, error) {
    if (this.#closed || session === null || session !== this.#session) return;
    clearInterval(this.#pings);
    this.#session = null;
    if (!error.retry) {
      this.#attempt = 0;
      this.#callbacks.state("failed", { words: error.message });
      return;
    }
    const pause = Math.max(pauseMs(this.#attempt), error.retryAfterMs);
    this.#attempt += 1;
    this.#callbacks.state("reconnecting", { words: error.message, pauseMs: pause });
    this.#wake = setTimeout(() => this.open(), pause);
  }
}
