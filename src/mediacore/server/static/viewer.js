// One device: its picture, the way back to it, and plain words about how things stand.

import { Choices } from "./choices.js";
import { Connection } from "./connection.js";
import { STATE_WORDS, screenshotUrl } from "./devices.js";
import { KeyboardInput } from "./keyboard.js";
import { PointerInput } from "./pointer.js";
import { Readouts } from "./readouts.js";

const STILL_MS = 1000; // connected this long without a picture: say why
const TOAST_MS = 6000;

export class Viewer {
  #root;
  #list;
  #video;
  #screen;
  #connection = null;
  #serial = null;
  #openedAt = 0;
  #described = null; // {width, height} as the service tells it
  #state = "";
  #stillTimer = 0;
  #countdown = 0;
  #toastTimer = 0;
  #pointer;
  #keyboard;
  #readouts;
  #choices;

  constructor(root, list) {
    this.#root = root;
    this.#list = list;
    this.#video = root.querySelector("#video");
    this.#screen = root.querySelector("#screen");
    this.#readouts = new Readouts(root, this.#video);
    this.#readouts.onFrame = () => this.#framePresented();
    this.#choices = new Choices(root, (wanted) => this.#connection?.report({ type: "want", ...wanted }));
    const field = root.querySelector("#keys");
    const link = {
      touch: (message) => this.#connection?.encoder.touch(message),
      scroll: (message) => this.#connection?.encoder.scroll(message),
      key: (message) => this.#connection?.encoder.key(message),
      text: (text) => this.#connection?.encoder.text(text) ?? [],
      command: (name) => this.#connection?.encoder.command(name),
    };
    const send = (message, options) => this.#connection?.send(message, options);
    this.#pointer = new PointerInput(this.#screen, {
      pictureSize: () => this.#pictureSize(),
      encoder: link,
      send,
      focusKeys: () => field.focus({ preventScroll: true }),
    });
    this.#keyboard = new KeyboardInput(field, link, send);
    this.#video.addEventListener("resize", () => this.#sizeChanged());
    for (const button of root.querySelectorAll("[data-command]")) {
      button.addEventListener("click", () => send(link.command(button.dataset.command)));
    }
    root.querySelector("#send-text").addEventListener("submit", (event) => {
      event.preventDefault();
      const input = event.target.elements.text;
      for (const message of link.text(input.value)) send(message);
      input.value = "";
      input.focus();
    });
    root.querySelector("#again").addEventListener("click", () => this.#connection?.open());
    root.querySelector("#fullscreen").addEventListener("click", () => this.#toggleFullscreen());
    list.addEventListener("change", () => this.#describeDevice());
  }

  get serial() {
    return this.#serial;
  }

  /** Show a device; `at` is when that was asked for (performance.now()). */
  open(serial, at) {
    this.close();
    this.#serial = serial;
    this.#openedAt = at;
    this.#connection = new Connection(serial, {
      state: (name, details) => this.#connectionState(name, details),
      stream: (stream) => this.#showStream(stream),
      event: (event) => this.#event(event),
      query: () => this.#choices.query(),
    });
    this.#connection.open();
    this.#video.poster = screenshotUrl(serial);
    this.#describeDevice();
    this.#sizeChanged();
  }

  /** Leave the device: everything ends, here and at the service. */
  close() {
    if (this.#connection === null) return;
    this.#keyboard.releaseAll();
    this.#pointer.cancelAll();
    this.#readouts.stop();
    this.#choices.clear();
    clearTimeout(this.#stillTimer);
    clearInterval(this.#countdown);
    this.#connection.close();
    this.#connection = null;
    this.#serial = null;
    this.#described = null;
    this.#video.srcObject = null;
    this.#video.removeAttribute("poster");
    delete this.#video.dataset.firstFrameMs;
    this.#hideToast();
    if (document.fullscreenElement) document.exitFullscreen();
  }

  #showStream(stream) {
    // After a break the screen may look different: a new poster, until pictures come again.
    if (this.#video.srcObject !== null) this.#video.poster = screenshotUrl(this.#serial);
    this.#video.srcObject = stream;
  }

  #describeDevice() {
    if (this.#serial === null) return;
    const device = this.#list.find(this.#serial);
    const name = device?.name || device?.model || this.#serial;
    this.#root.querySelector("#device-name").textContent = name;
    this.#root.querySelector("#device-serial").textContent = name === this.#serial ? "" : this.#serial;
    const words = device === null || device.state === "device" ? "" : (STATE_WORDS[device.state] ?? device.state);
    this.#root.querySelector("#device-state").textContent = words;
    this.#video.setAttribute("aria-label", `Screen of ${name}`);
    document.title = `${name} · mediacore`;
    this.#sizeChanged();
  }

  #pictureSize() {
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth > 0) return { width: videoWidth, height: videoHeight };
    if (this.#described !== null) return this.#described;
    const size = this.#list.find(this.#serial)?.size;
    return size ? { width: size[0], height: size[1] } : null;
  }

  #sizeChanged() {
    const size = this.#pictureSize();
    this.#screen.style.setProperty("--width", size?.width ?? 9);
    this.#screen.style.setProperty("--height", size?.height ?? 16);
    this.#pointer.resized();
  }

  #connectionState(name, { words, pauseMs }) {
    clearTimeout(this.#stillTimer);
    clearInterval(this.#countdown);
    if (words?.startsWith(`${this.#serial}: `)) words = words.slice(this.#serial.length + 2);
    if (name === "connecting") this.#show("connecting", "connecting…");
    if (name === "connected") {
      this.#readouts.start(this.#connection);
      this.#show("waiting", "connected, waiting for the first picture…");
      this.#stillTimer = setTimeout(() => this.#still(), STILL_MS);
    }
    if (name === "failed") {
      this.#readouts.stop();
      this.#show("failed", words);
    }
    if (name === "reconnecting") {
      this.#readouts.stop();
      this.#waitWords(words, performance.now() + pauseMs);
    }
    if (name === "failed" || name === "reconnecting") {
      this.#choices.clear();
      this.#pointer.cancelAll();
      this.#keyboard.releaseAll();
    }
  }

  #waitWords(words, until) {
    this.#show("reconnecting", words);
    const more = this.#root.querySelector("#veil-more");
    const tell = () => {
      const seconds = Math.ceil((until - performance.now()) / 1000);
      more.textContent = seconds > 0 ? `Trying again in ${seconds} s…` : "Trying again now…";
    };
    more.hidden = false;
    tell();
    this.#countdown = setInterval(tell, 500);
  }

  #still() {
    if (this.#state === "waiting") this.#show("still", "connected: nothing moves on the device yet");
  }

  #framePresented() {
    if (this.#state === "live") return;
    if (!["waiting", "still"].includes(this.#state)) return;
    clearTimeout(this.#stillTimer);
    this.#video.dataset.firstFrameMs ??= (performance.now() - this.#openedAt).toFixed(1);
    this.#show("live", "live");
  }

  #event(event) {
    if (event.type === "description") {
      this.#described = { width: event.width, height: event.height };
      this.#sizeChanged();
    } else if (event.type === "rendition") {
      this.#choices.rendition(event);
    } else if (event.type === "unsupported" && event.what === "want") {
      this.#choices.refused();
      this.#toast(`The picture stays as it is: ${event.reason}`);
    } else if (event.type === "unsupported") {
      this.#toast(`The device cannot do this: ${event.reason}`);
    }
  }

  #show(state, words) {
    this.#state = state;
    document.body.dataset.state = state;
    const output = this.#root.querySelector("#state");
    if (output.textContent !== words) output.textContent = words;
    this.#root.querySelector("#veil-words").textContent = sentence(words);
    this.#root.querySelector("#veil-more").hidden = true;
    this.#root.querySelector("#again").hidden = !["failed", "reconnecting"].includes(state);
  }

  #toast(words) {
    clearTimeout(this.#toastTimer);
    const toast = this.#root.querySelector("#toast");
    toast.textContent = words;
    toast.classList.add("shown");
    this.#toastTimer = setTimeout(() => this.#hideToast(), TOAST_MS);
  }

  #hideToast() {
    clearTimeout(this.#toastTimer);
    this.#root.querySelector("#toast").classList.remove("shown");
  }

  #toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.#root.querySelector("#stage").requestFullscreen().catch(() => this.#toast("Fullscreen is not allowed here."));
  }
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
