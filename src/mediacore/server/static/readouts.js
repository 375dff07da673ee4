// The figures beside the picture, once a second: resolution, frame rate, bit rate, latency and its last minute as a line.

const SECOND_MS = 1000;
const POINTS = 60;
const CHART = Object.freeze({ width: 240, height: 44 });

export class Readouts {
  #root;
  #video;
  #connection = null;
  #timer = 0;
  #frames = 0;
  #total = 0;
  #bytes = null; // {at, count}
  #history = [];
  #lastTick = 0;

  constructor(root, video) {
    this.#root = root;
    this.#video = video;
    if ("requestVideoFrameCallback" in video) {
      const presented = (now, metadata) => {
        this.#presented(metadata);
        video.requestVideoFrameCallback(presented);
      };
      video.requestVideoFrameCallback(presented);
    }
  }

  /** onFrame(metadata): called for each picture that is presented. */
  onFrame = () => {};

  start(connection) {
    this.stop();
    this.#connection = connection;
    this.#lastTick = performance.now();
    this.#timer = setInterval(() => this.#tick(), SECOND_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#connection = null;
    this.#frames = this.#total = 0;
    this.#bytes = null;
    this.#history = [];
    for (const id of ["resolution", "fps", "bitrate", "latency"]) this.#show(id, "–");
    this.#draw();
  }

  #presented(metadata) {
    if (this.#connection === null) return;
    this.#frames += 1;
    this.#total += 1;
    this.#connection.latency.frame(metadata);
    this.onFrame(metadata);
  }

  async #tick() {
    const connection = this.#connection;
    const now = performance.now();
    const fps = (this.#frames * 1000) / (now - this.#lastTick);
    this.#lastTick = now;
    this.#frames = 0;
    const latencyMs = connection.latency.take();
    const { videoWidth: width, videoHeight: height } = this.#video;
    const inbound = await connection.inbound().catch(() => null);
    if (connection !== this.#connection) return;
    if (width > 0) this.#show("resolution", `${width} × ${height}`);
    this.#show("fps", this.#total > 0 ? `${Math.round(fps)}` : "–");
    this.#showBitrate(inbound);
    this.#show("latency", latencyMs === null ? "–" : `${latencyMs < 10 ? latencyMs.toFixed(1) : Math.round(latencyMs)}`);
    this.#history.push(latencyMs);
    if (this.#history.length > POINTS) this.#history.shift();
    this.#draw();
    const report = { fps: round(fps), frames: this.#total, width, height };
    if (latencyMs !== null) report.latency_ms = round(latencyMs);
    connection.report({ type: "stats", ...report });
  }

  #showBitrate(inbound) {
    if (inbound === null) return;
    const sample = { at: inbound.timestamp, count: inbound.bytesReceived };
    const before = this.#bytes;
    this.#bytes = sample;
    if (before === null || sample.at <= before.at) return;
    const kbps = Math.max(0, ((sample.count - before.count) * 8) / (sample.at - before.at));
    this.#show("bitrate", kbps < 1000 ? `${Math.round(kbps)}` : (kbps / 1000).toFixed(1));
    this.#root.querySelector("#bitrate-unit").textContent = kbps < 1000 ? "kb/s" : "Mb/s";
  }

  #show(id, text) {
    this.#root.querySelector(`#${id}`).textContent = text;
    this.#root.querySelector(`#${id}`).parentElement.classList.toggle("unknown", text === "–");
  }

  #draw() {
    const known = this.#history.filter((value) => value !== null);
    const top = Math.max(50, ...known) * 1.1;
    const first = POINTS - this.#history.length;
    let path = "";
    let pen = "M";
    this.#history.forEach((value, index) => {
      if (value === null) {
        pen = "M";
        return;
      }
      const x = ((first + index) * CHART.width) / (POINTS - 1);
      const y = CHART.height - (value / top) * CHART.height;
      path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
    });
    this.#root.querySelector("#chart path").setAttribute("d", path);
    const peak = known.length ? `last minute, up to ${Math.round(Math.max(...known))} ms` : "last minute";
    this.#root.querySelector("#chart-words").textContent = peak;
  }
}

const round = (value) => Math.round(value * 100) / 100;
