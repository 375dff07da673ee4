// Typing on the picture. Named keys and shortcuts go as key messages; whatever prints goes as text, from a field that lies
// invisibly over the picture, so that dead keys, input methods and the browser's own paste all work.

import { KEY } from "./input.js";
import { NAMED_KEYS, PRINTING_KEYS, metastate } from "./keys.js";

const PASTE = "KeyV"; // left to the browser: the text arrives as an input event

export class KeyboardInput {
  #field;
  #send;
  #encoder;
  #down = new Map(); // code → keycode

  constructor(field, encoder, send) {
    this.#field = field;
    this.#encoder = encoder;
    this.#send = send;
    field.addEventListener("keydown", (event) => this.#keyDown(event));
    field.addEventListener("keyup", (event) => this.#release(event.code, metastate(event)));
    field.addEventListener("input", (event) => {
      if (!event.isComposing) this.#flush();
    });
    field.addEventListener("compositionend", () => this.#flush());
    field.addEventListener("blur", () => this.releaseAll());
  }

  /** Lift every key that is down: the window lost the keyboard, or the device is left. */
  releaseAll() {
    for (const code of [...this.#down.keys()]) this.#release(code, 0);
    this.#field.value = "";
  }

  #keyDown(event) {
    if (event.isComposing || event.key === "Process" || event.key === "Dead") return;
    const shortcut = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
    if (shortcut && event.code === PASTE) return;
    const keycode = NAMED_KEYS[event.code] ?? (shortcut ? PRINTING_KEYS[event.code] : undefined);
    if (keycode === undefined) return;
    event.preventDefault();
    this.#down.set(event.code, keycode);
    this.#send(this.#encoder.key({ action: KEY.down, keycode, metastate: metastate(event) }));
  }

  #release(code, meta) {
    const keycode = this.#down.get(code);
    if (keycode === undefined) return;
    this.#down.delete(code);
    this.#send(this.#encoder.key({ action: KEY.up, keycode, metastate: meta }));
  }

  #flush() {
    const text = this.#field.value;
    this.#field.value = "";
    for (const message of this.#encoder.text(text)) this.#send(message);
  }
}
