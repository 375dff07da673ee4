// How old each shown picture is. The service tells which moment of its clock an RTP timestamp stands for; pings tell how its
// clock and ours differ (the answer with the shortest way counts); the browser tells the RTP timestamp of each picture shown.

const RTP_HZ = 90_000;
const PINGS_KEPT = 16;
const AGES_KEPT = 240;
const PLAUSIBLE_MS = [-50, 60_000];

const nowUs = () => performance.now() * 1000;

export class LatencyMeter {
  #clock = null; // {rtp, ptsUs}
  #pings = []; // {rttUs, offsetUs}
  #ages = []; // ms, since the last take()
  #unanswered = 0;

  /** The event {rtp, pts_us}: RTP timestamp `rtp` was made from the service's time `pts_us`. */
  clock({ rtp, pts_us: ptsUs }) {
    this.#clock = { rtp, ptsUs };
  }

  /** Pings that were sent since the last answer. */
  get unanswered() {
    return this.#unanswered;
  }

  /** The shortest round trip in ms, or null. */
  get rttMs() {
    return this.#pings.length ? Math.min(...this.#pings.map((ping) => ping.rttUs)) / 1000 : null;
  }

  /** Our clock in µs, to be put into a ping. */
  ping() {
    this.#unanswered += 1;
    return nowUs();
  }

  pong({ viewerUs, serverUs }) {
    const rttUs = nowUs() - viewerUs;
    if (rttUs < 0) return;
    this.#unanswered = 0;
    this.#pings.push({ rttUs, offsetUs: serverUs - (viewerUs + rttUs / 2) });
    if (this.#pings.length > PINGS_KEPT) this.#pings.shift();
  }

  /** A picture was presented; metadata is that of requestVideoFrameCallback. */
  frame({ rtpTimestamp, presentationTime }) {
    if (rtpTimestamp === undefined || this.#clock === null || this.#pings.length === 0) return;
    const best = this.#pings.reduce((a, b) => (b.rttUs < a.rttUs ? b : a));
    const ticks = (rtpTimestamp - this.#clock.rtp) | 0; // signed 32 bits: survives the wrap
    const madeUs = this.#clock.ptsUs + (ticks * 1e6) / RTP_HZ;
    const ageMs = (presentationTime * 1000 + best.offsetUs - madeUs) / 1000;
    if (ageMs < PLAUSIBLE_MS[0] || ageMs > PLAUSIBLE_MS[1]) return;
    this.#ages.push(Math.max(0, ageMs));
    if (this.#ages.length > AGES_KEPT) this.#ages.shift();
  }

  /** Median age in ms of the pictures since the last call, or null if there were none. */
  take() {
    if (this.#ages.length === 0) return null;
    const sorted = this.#ages.sort((a, b) => a - b);
    this.#ages = [];
    return sorted[sorted.length >> 1];
  }
}
