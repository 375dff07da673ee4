// Input messages of the data channel, byte for byte: big-endian, header `u8 type, u8 flags, u16 seq`.

export const TYPE = Object.freeze({ touch: 1, key: 2, text: 3, scroll: 4, command: 5, clipboard: 6, ping: 7 });
export const TOUCH = Object.freeze({ down: 0, up: 1, move: 2, cancel: 3 });
export const KEY = Object.freeze({ down: 0, up: 1 });
export const COMMAND = Object.freeze({
  back: 1,
  home: 2,
  recents: 3,
  power: 4,
  "volume-up": 5,
  "volume-down": 6,
  rotate: 7,
  wake: 8,
  notifications: 9,
  "screen-off": 10,
});

const HEADER_BYTES = 4;
const TEXT_BYTES = 4096; // one message of text; longer text is sent in several

const clamp = (value, low, high) => Math.min(high, Math.max(low, Math.round(value)));
const u16 = (value) => clamp(value, 0, 0xffff);
const i16 = (value) => clamp(value, -0x8000, 0x7fff);

/** Encodes messages and numbers them. Coordinates are 0..65535 of the picture, pressure is 0..65535. */
export class InputEncoder {
  #seq = 0;

  touch({ action, pointer, x, y, pressure, width, height }) {
    const view = this.#message(TYPE.touch, 15);
    view.setUint8(4, action);
    view.setUint32(5, pointer);
    view.setUint16(9, u16(x));
    view.setUint16(11, u16(y));
    view.setUint16(13, u16(pressure));
    view.setUint16(15, u16(width));
    view.setUint16(17, u16(height));
    return view.buffer;
  }

  key({ action, keycode, metastate }) {
    const view = this.#message(TYPE.key, 9);
    view.setUint8(4, action);
    view.setUint32(5, keycode);
    view.setUint32(9, metastate);
    return view.buffer;
  }

  /** h and v in notches: positive is right and up (away from the user), as on Android. */
  scroll({ x, y, h, v, width, height }) {
    const view = this.#message(TYPE.scroll, 12);
    view.setUint16(4, u16(x));
    view.setUint16(6, u16(y));
    view.setInt16(8, i16(h * 256));
    view.setInt16(10, i16(v * 256));
    view.setUint16(12, u16(width));
    view.setUint16(14, u16(height));
    return view.buffer;
  }

  command(name) {
    const view = this.#message(TYPE.command, 1);
    view.setUint8(4, COMMAND[name]);
    return view.buffer;
  }

  ping(clockUs) {
    const view = this.#message(TYPE.ping, 8);
    view.setBigUint64(4, BigInt(Math.round(clockUs)));
    return view.buffer;
  }

  /** One message per TEXT_BYTES of UTF-8, never cut inside a character. */
  text(text) {
    const messages = [];
    let chunk = "";
    let size = 0;
    for (const character of text) {
      const bytes = new TextEncoder().encode(character).length;
      if (size + bytes > TEXT_BYTES) {
        messages.push(this.#utf8(TYPE.text, chunk));
        chunk = "";
        size = 0;
      }
      chunk += character;
      size += bytes;
    }
    if (chunk) messages.push(this.#utf8(TYPE.text, chunk));
    return messages;
  }

  #utf8(type, text) {
    const body = new TextEncoder().encode(text);
    const view = this.#message(type, body.length);
    new Uint8Array(view.buffer, HEADER_BYTES).set(body);
    return view.buffer;
  }

  #message(type, bodyBytes) {
    const view = new DataView(new ArrayBuffer(HEADER_BYTES + bodyBytes));
    view.setUint8(0, type);
    view.setUint16(2, this.#seq);
    this.#seq = (this.#seq + 1) & 0xffff;
    return view;
  }
}

/** The answer to a ping as {viewerUs, serverUs}, or null for any other message. */
export function decodePong(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < HEADER_BYTES + 16 || view.getUint8(0) !== TYPE.ping) return null;
  return { viewerUs: Number(view.getBigUint64(4)), serverUs: Number(view.getBigUint64(12)) };
}
