// WHEP (draft-ietf-wish-whep): an offer goes out by POST, the answer comes back, DELETE ends it. The offer adds our data
// channel. Candidates are not waited for: the service lists its own addresses, and sees ours when we call them.

export const CHANNEL = Object.freeze({ label: "control", protocol: "mediacore.control.1" });

const REQUEST_TIMEOUT_MS = 12_000;
const DELETE_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 15_000;
const DISCONNECTED_MS = 3_000; // what a broken path gets to come back

/** A failure in plain words. `retry`: trying again later may help; `retryAfterMs`: when, if the service said so. */
export class WhepError extends Error {
  constructor(message, { status = 0, code = "network", retry = true, retryAfterMs = 0 } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retry = retry;
    this.retryAfterMs = retryAfterMs;
  }
}

/** ICE servers from a Link header: `<turn:host>; rel="ice-server"; username="u"; credential="c"`. */
export function iceServers(header) {
  const servers = [];
  for (const link of (header ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))*)/g)) {
    const attributes = {};
    for (const [, name, quoted, plain] of link[2].matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))/g)) {
      attributes[name.toLowerCase()] = quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1");
    }
    if (attributes.rel !== "ice-server") continue;
    const server = { urls: link[1] };
    if (attributes.username !== undefined) {
      Object.assign(server, { username: attributes.username, credential: attributes.credential });
    }
    servers.push(server);
  }
  return servers;
}

/** The failure that a response tells of: the `detail` of its problem document, or its status. */
export async function failureOf(response) {
  const problem = await response.json().catch(() => ({}));
  const { status } = response;
  const seconds = Number(response.headers.get("Retry-After")) || 0;
  return new WhepError(problem.detail ?? `the service answered ${status} ${response.statusText}`, {
    status,
    code: problem.code ?? "http",
    retry: status >= 500 || [404, 408, 429].includes(status),
    retryAfterMs: seconds * 1000,
  });
}

let knownIceServers = []; // from the last answer; used from the first packet of the next session on

/** One session. Callbacks: stream(MediaStream), event(object), binary(ArrayBuffer), ended(WhepError), once. */
export class WhepSession {
  #pc;
  #channel;
  #resource = null;
  #callbacks;
  #over = false;
  #timer = 0;
  #abort = null; // while connecting: what rejects the attempt

  constructor(callbacks) {
    this.#callbacks = callbacks;
    this.#pc = new RTCPeerConnection({ iceServers: knownIceServers, bundlePolicy: "max-bundle" });
    const { receiver } = this.#pc.addTransceiver("video", { direction: "recvonly" });
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    else if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = 0;
    this.#channel = this.#pc.createDataChannel(CHANNEL.label, { ordered: true, protocol: CHANNEL.protocol });
    this.#channel.binaryType = "arraybuffer";
    this.#channel.onmessage = ({ data }) => this.#message(data);
    this.#channel.onclose = () => this.#end(new WhepError("the connection to the service was closed", { code: "closed" }));
    this.#pc.ontrack = ({ track }) => callbacks.stream(new MediaStream([track]));
    this.#pc.onconnectionstatechange = () => this.#stateChanged();
  }

  /** Negotiate and connect; resolves once media can flow, rejects with a WhepError. */
  async connect(endpoint) {
    try {
      await this.#pc.setLocalDescription();
      const response = await this.#post(endpoint, this.#pc.localDescription.sdp);
      if (response.status !== 201) throw await failureOf(response);
      const location = response.headers.get("Location");
      this.#resource = location === null ? null : new URL(location, response.url).href;
      const servers = iceServers(response.headers.get("Link"));
      if (servers.length) {
        knownIceServers = servers;
        this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: servers });
      }
      const answer = await response.text();
      if (this.#over) throw new WhepError("closed", { code: "closed" });
      await this.#pc.setRemoteDescription({ type: "answer", sdp: answer });
      await this.#connected();
    } catch (error) {
      const failure = error instanceof WhepError ? error : new WhepError(error.message, { code: "browser", retry: false });
      this.close();
      throw failure;
    }
  }

  /** True if input can be sent now. */
  get open() {
    return this.#channel.readyState === "open";
  }

  /** Bytes that wait to be sent. */
  get queuedBytes() {
    return this.#channel.bufferedAmount;
  }

  send(data) {
    if (this.open) this.#channel.send(data);
  }

  getStats() {
    return this.#pc.getStats();
  }

  /** End the session here and, unless it knows, at the service; survives the page being closed. */
  close({ tellService = true } = {}) {
    this.#over = true;
    this.#abort?.(new WhepError("closed", { code: "closed" }));
    clearTimeout(this.#timer);
    // Nothing that still arrives may be taken for a word of the session that comes after this one.
    this.#channel.onmessage = this.#channel.onclose = null;
    this.#pc.ontrack = this.#pc.onconnectionstatechange = null;
    // The request first: closing the connection tells the service the same, and the address would be gone already.
    const tell = tellService && this.#resource !== null;
    const ended = tell ? this.#delete(this.#resource) : Promise.resolve();
    this.#resource = null;
    ended.catch(() => {}).finally(() => this.#pc.close());
  }

  #delete(resource) {
    // keepalive: it is sent even if the page is closing right now.
    return fetch(resource, { method: "DELETE", keepalive: true, signal: AbortSignal.timeout(DELETE_TIMEOUT_MS) });
  }

  async #post(endpoint, sdp) {
    try {
      return await fetch(endpoint, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: sdp,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
    } catch {
      throw new WhepError("the service does not answer");
    }
  }

  #connected() {
    const pc = this.#pc;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => finish(new WhepError("no connection came about: is a firewall in the way of UDP?", { code: "connect" })),
        CONNECT_TIMEOUT_MS,
      );
      const finish = (error) => {
        this.#abort = null;
        clearTimeout(timer);
        pc.removeEventListener("connectionstatechange", look);
        if (error) reject(error);
        else resolve();
      };
      const look = () => {
        if (pc.connectionState === "connected") finish();
        else if (["failed", "closed"].includes(pc.connectionState)) {
          finish(new WhepError("the connection to the service failed", { code: "connect" }));
        }
      };
      this.#abort = finish;
      pc.addEventListener("connectionstatechange", look);
      look();
    });
  }

  #stateChanged() {
    clearTimeout(this.#timer);
    const lost = new WhepError("the connection to the service was lost", { code: "lost" });
    if (["failed", "closed"].includes(this.#pc.connectionState)) this.#end(lost);
    if (this.#pc.connectionState === "disconnected") {
      this.#timer = setTimeout(() => this.#end(lost), DISCONNECTED_MS);
    }
  }

  #message(data) {
    if (data instanceof ArrayBuffer) {
      this.#callbacks.binary(data);
      return;
    }
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // not ours; a page has nobody to tell
    }
    this.#callbacks.event(event);
  }

  #end(error) {
    if (this.#over) return;
    if (this.#abort !== null) {
      this.#abort(error);
      return;
    }
    this.close();
    this.#callbacks.ended(error);
  }
}
