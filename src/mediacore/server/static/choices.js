// What the viewer wants of the picture: its largest side and its frame rate, in two menus; and the codec that came of it.

const CODECS = Object.freeze({ h264: "H.264", vp8: "VP8", vp9: "VP9", av1: "AV1" });

/** onChange({size, fps}) is called when somebody chooses; null stands for "as it comes". */
export class Choices {
  #size;
  #rate;
  #codec;
  #told = null; // {size, fps} of the last rendition that the service told of

  constructor(root, onChange) {
    this.#size = root.querySelector("#size");
    this.#rate = root.querySelector("#rate");
    this.#codec = root.querySelector("#codec");
    for (const menu of [this.#size, this.#rate]) menu.addEventListener("change", () => onChange(this.wanted()));
  }

  /** Both sides have the same limit, so that a device may be turned. */
  wanted() {
    const side = Number(this.#size.value);
    return { size: side > 0 ? [side, side] : null, fps: Number(this.#rate.value) || null };
  }

  /** The same as the query of a WHEP request, with the codecs that the page's own address asks for. */
  query() {
    const { size, fps } = this.wanted();
    const query = new URLSearchParams();
    const codec = new URLSearchParams(location.search).get("codec");
    if (codec !== null) query.set("codec", codec);
    if (size !== null) query.set("size", size.join("x"));
    if (fps !== null) query.set("fps", fps);
    return query.size > 0 ? `?${query}` : "";
  }

  /** The service tells what it sends: the event {codec, size, fps}. */
  rendition({ codec, size, fps }) {
    this.#told = { size, fps };
    this.#show(CODECS[codec] ?? codec);
  }

  /** What was chosen cannot be had: back to what there is. */
  refused() {
    if (this.#told === null) return;
    this.#size.value = String(this.#told.size?.[0] ?? "");
    this.#rate.value = String(this.#told.fps ?? "");
  }

  /** No connection: nothing is sent. */
  clear() {
    this.#told = null;
    this.#show("–");
  }

  #show(words) {
    this.#codec.textContent = words;
    this.#codec.classList.toggle("unknown", words === "–");
  }
}
