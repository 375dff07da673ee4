// The wall: a card per device with its picture, state, size and viewers. Cards are kept and changed, never rebuilt, so that
// focus and scroll position stay where they are.

import { STATE_WORDS, screenshotUrl } from "./devices.js";

const PICTURE_MS = 8000; // how old a card's picture may get
const PICTURE_TIMEOUT_MS = 12_000;
const TICK_MS = 500;
const AT_ONCE = 2; // screenshots that are fetched at one time
const FILTER_FROM = 7; // devices

export class Wall {
  #root;
  #list;
  #cards = new Map(); // serial → Card
  #fetching = 0;
  #seen = new IntersectionObserver((entries) => {
    for (const entry of entries) this.#cards.get(entry.target.dataset.device)?.setVisible(entry.isIntersecting);
  });

  constructor(root, list) {
    this.#root = root;
    this.#list = list;
    this.filter = root.querySelector("#filter");
    this.filter.addEventListener("input", () => this.#applyFilter());
    list.addEventListener("change", () => this.#update());
    setInterval(() => this.#refreshPictures(), TICK_MS);
  }

  /** Put the keyboard on a device's card (coming back from it). */
  focus(serial) {
    this.#cards.get(serial)?.element.focus({ preventScroll: true });
  }

  #update() {
    const { devices, error } = this.#list;
    const grid = this.#root.querySelector("#grid");
    if (devices !== null) {
      const present = new Set(devices.map((device) => device.serial));
      for (const [serial, card] of this.#cards) {
        if (present.has(serial)) continue;
        this.#seen.unobserve(card.element);
        card.element.remove();
        this.#cards.delete(serial);
      }
      devices.forEach((device, index) => {
        let card = this.#cards.get(device.serial);
        if (card === undefined) {
          card = new Card(device.serial);
          this.#cards.set(device.serial, card);
          this.#seen.observe(card.element);
        }
        card.update(device);
        if (grid.children[index] !== card.element) grid.insertBefore(card.element, grid.children[index] ?? null);
      });
      this.#summarise(devices);
    }
    grid.classList.toggle("stale", error !== null);
    this.#root.querySelector("#loading").hidden = devices !== null || error !== null;
    this.#root.querySelector("#empty").hidden = devices === null || devices.length > 0;
    this.filter.parentElement.hidden = (devices?.length ?? 0) < FILTER_FROM;
    this.#applyFilter();
  }

  #summarise(devices) {
    const ready = devices.filter((device) => device.state === "device").length;
    const viewers = devices.reduce((sum, device) => sum + device.viewers, 0);
    const words = [devices.length === 1 ? "1 device" : `${devices.length} devices`];
    if (ready !== devices.length) words.push(`${ready} ready`);
    if (viewers > 0) words.push(viewers === 1 ? "1 viewer" : `${viewers} viewers`);
    this.#root.querySelector("#summary").textContent = devices.length ? words.join(" · ") : "";
  }

  #applyFilter() {
    const wanted = this.filter.parentElement.hidden ? "" : this.filter.value.trim().toLowerCase();
    for (const card of this.#cards.values()) card.element.hidden = !card.searchText.includes(wanted);
  }

  #refreshPictures() {
    if (document.hidden || this.#root.hidden || this.#list.error !== null) return;
    const due = [...this.#cards.values()].filter((card) => card.pictureDue).sort((a, b) => a.pictureAt - b.pictureAt);
    for (const card of due.slice(0, AT_ONCE - this.#fetching)) {
      this.#fetching += 1;
      card.fetchPicture().finally(() => (this.#fetching -= 1));
    }
  }
}

class Card {
  #visible = false;
  #ready = false;
  #loading = false;

  constructor(serial) {
    this.serial = serial;
    this.pictureAt = -PICTURE_MS;
    this.searchText = "";
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.element.dataset.device = serial;
    this.element.href = `#${encodeURIComponent(serial)}`;
    this.part = (name) => this.element.querySelector(`[data-part="${name}"]`);
    this.part("serial").textContent = serial;
  }

  get pictureDue() {
    return this.#ready && this.#visible && !this.#loading && performance.now() - this.pictureAt >= PICTURE_MS;
  }

  setVisible(visible) {
    this.#visible = visible;
  }

  update({ name, model, serial, state, size, streaming, viewers }) {
    const title = name || model || serial;
    this.#ready = state === "device";
    this.searchText = `${title} ${model} ${serial}`.toLowerCase();
    this.element.dataset.state = state;
    this.part("name").textContent = title;
    this.part("serial").hidden = title === serial;
    this.part("state").textContent = STATE_WORDS[state] ?? state;
    this.part("size").textContent = size === null ? "" : `${size[0]} × ${size[1]}`;
    this.part("viewers").hidden = viewers === 0;
    this.part("count").textContent = viewers;
    this.part("viewers").title = viewers === 1 ? "1 person is watching" : `${viewers} people are watching`;
    this.element.classList.toggle("streaming", streaming);
    const watched = viewers > 0 ? `, ${viewers} watching` : "";
    this.element.setAttribute("aria-label", `${title}, ${STATE_WORDS[state] ?? state}${watched}`);
  }

  async fetchPicture() {
    this.#loading = true;
    const picture = new Image();
    picture.alt = "";
    picture.decoding = "async";
    picture.src = screenshotUrl(this.serial);
    let timer = 0;
    const late = new Promise((_, reject) => (timer = setTimeout(reject, PICTURE_TIMEOUT_MS)));
    try {
      await Promise.race([picture.decode(), late]);
      this.part("picture").replaceChildren(picture);
      this.element.classList.add("pictured");
    } catch {
      picture.src = ""; // no picture this time: the old one, or the placeholder, stays
    }
    clearTimeout(timer);
    this.pictureAt = performance.now();
    this.#loading = false;
  }
}
