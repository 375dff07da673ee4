// Fingers, mouse and pen on the picture become touches; the wheel becomes scrolling. Moves are sent at most once per
// animation frame and pointer; downs and ups at once and in order.

import { TOUCH } from "./input.js";

const FULL = 0xffff;
const MAX_POINTERS = 10; // as many as Android tracks well
const NOTCH_PX = 100; // what one notch of a wheel scrolls in browsers
const NOTCH_LINES = 3;
const MOUSE_COMMANDS = { 1: "home", 2: "back" }; // middle and right button

/** Where the picture lies inside an element that shows it with `object-fit: contain`, in client pixels. */
export function pictureRect(rect, { width, height }) {
  const scale = Math.min(rect.width / width, rect.height / height);
  const shown = { width: width * scale, height: height * scale };
  return {
    left: rect.left + (rect.width - shown.width) / 2,
    top: rect.top + (rect.height - shown.height) / 2,
    ...shown,
  };
}

/** A client position as {x, y} of 0..65535 in the picture, and whether it lies inside. */
export function toPicture(area, clientX, clientY) {
  const x = (clientX - area.left) / area.width;
  const y = (clientY - area.top) / area.height;
  const unit = (value) => Math.min(1, Math.max(0, value));
  return {
    x: Math.round(unit(x) * FULL),
    y: Math.round(unit(y) * FULL),
    inside: x >= 0 && x <= 1 && y >= 0 && y <= 1,
  };
}

export class PointerInput {
  #surface;
  #pictureSize;
  #encoder;
  #send;
  #pointers = new Map(); // pointerId → {slot, last, pending}
  #wheel = null;
  #frame = 0;
  #portrait = null;

  /**
   * surface: the element that shows the picture; pictureSize(): {width, height} of the picture seen, or null;
   * focusKeys(): gives the keyboard to the device.
   */
  constructor(surface, { pictureSize, encoder, send, focusKeys }) {
    this.#surface = surface;
    this.#pictureSize = pictureSize;
    this.#encoder = encoder;
    this.#send = send;
    const on = (type, listener, options) => surface.addEventListener(type, listener, options);
    on("pointerdown", (event) => {
      if (event.target.closest("button")) return; // one that lies over the picture
      event.preventDefault();
      focusKeys();
      this.#down(event);
    });
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#end(event, TOUCH.up));
    on("pointercancel", (event) => this.#end(event, TOUCH.cancel));
    on("lostpointercapture", (event) => this.#end(event, TOUCH.cancel));
    on("wheel", (event) => this.#scroll(event), { passive: false });
    on("contextmenu", (event) => event.preventDefault());
    on("dragstart", (event) => event.preventDefault());
    window.addEventListener("blur", () => this.cancelAll());
  }

  /** The picture has a new size: a gesture that began on the other orientation means nothing any more. */
  resized() {
    const size = this.#pictureSize();
    const portrait = size === null ? null : size.height >= size.width;
    if (portrait !== this.#portrait) this.cancelAll();
    this.#portrait = portrait;
  }

  /** End every gesture under way. */
  cancelAll() {
    for (const [id, pointer] of [...this.#pointers]) {
      this.#pointers.delete(id);
      this.#touch(TOUCH.cancel, pointer.slot, pointer.last, 0);
    }
  }

  #down(event) {
    if (event.pointerType === "mouse" && event.button !== 0) {
      const command = MOUSE_COMMANDS[event.button];
      if (command) this.#send(this.#encoder.command(command));
      return;
    }
    const at = this.#locate(event);
    if (!at?.inside || this.#pointers.size >= MAX_POINTERS || this.#pointers.has(event.pointerId)) return;
    const taken = new Set([...this.#pointers.values()].map((pointer) => pointer.slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    this.#pointers.set(event.pointerId, { slot, last: at, pending: null });
    this.#surface.setPointerCapture(event.pointerId);
    this.#touch(TOUCH.down, slot, at, pressureOf(event));
  }

  #move(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (pointer === undefined) return;
    const newest = event.getCoalescedEvents?.().at(-1) ?? event;
    const at = this.#locate(newest);
    if (at === null) return;
    pointer.pending = { at, pressure: pressureOf(newest) };
    this.#schedule();
  }

  #end(event, action) {
    const pointer = this.#pointers.get(event.pointerId);
    if (pointer === undefined) return;
    this.#flushMove(pointer);
    this.#pointers.delete(event.pointerId);
    const at = (action === TOUCH.up && this.#locate(event)) || pointer.last;
    this.#touch(action, pointer.slot, at, 0);
  }

  #scroll(event) {
    event.preventDefault();
    const at = this.#locate(event);
    if (!at?.inside) return;
    const notch = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? NOTCH_PX : NOTCH_LINES;
    const before = this.#wheel ?? { h: 0, v: 0 };
    this.#wheel = { at, h: before.h + event.deltaX / notch, v: before.v - event.deltaY / notch };
    this.#schedule();
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#frame = 0;
    for (const pointer of this.#pointers.values()) this.#flushMove(pointer);
    const size = this.#pictureSize();
    if (this.#wheel !== null && size !== null) {
      const { at, h, v } = this.#wheel;
      this.#send(this.#encoder.scroll({ x: at.x, y: at.y, h, v, ...size }), { mayDrop: true });
    }
    this.#wheel = null;
  }

  #flushMove(pointer) {
    if (pointer.pending === null) return;
    const { at, pressure } = pointer.pending;
    pointer.pending = null;
    if (at.x === pointer.last.x && at.y === pointer.last.y) return;
    pointer.last = at;
    this.#touch(TOUCH.move, pointer.slot, at, pressure, { mayDrop: true });
  }

  #touch(action, pointer, at, pressure, options) {
    const size = this.#pictureSize() ?? { width: 0, height: 0 };
    this.#send(this.#encoder.touch({ action, pointer, x: at.x, y: at.y, pressure, ...size }), options);
  }

  #locate(event) {
    const size = this.#pictureSize();
    if (size === null) return null;
    return toPicture(pictureRect(this.#surface.getBoundingClientRect(), size), event.clientX, event.clientY);
  }
}

function pressureOf(event) {
  // A mouse has no pressure, and many touch screens report none: both mean a firm touch.
  return event.pointerType === "mouse" || event.pressure === 0 ? FULL : Math.round(event.pressure * FULL);
}
