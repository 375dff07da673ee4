// A physical key (KeyboardEvent.code) as an Android keycode (android.view.KeyEvent).

const letters = Object.fromEntries([..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].map((letter, i) => [`Key${letter}`, 29 + i]));
const digits = Object.fromEntries([..."0123456789"].map((digit, i) => [`Digit${digit}`, 7 + i]));
const functions = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`F${i + 1}`, 131 + i]));

/** Keys that mean the same whatever the keyboard's layout: always sent as keys. */
export const NAMED_KEYS = Object.freeze({
  ...functions,
  ArrowUp: 19,
  ArrowDown: 20,
  ArrowLeft: 21,
  ArrowRight: 22,
  Enter: 66,
  NumpadEnter: 160,
  Backspace: 67,
  Delete: 112,
  Escape: 111,
  Home: 122,
  End: 123,
  PageUp: 92,
  PageDown: 93,
  Insert: 124,
  ContextMenu: 82,
  AudioVolumeUp: 24,
  AudioVolumeDown: 25,
  AudioVolumeMute: 164,
  MediaPlayPause: 85,
  MediaStop: 86,
  MediaTrackNext: 87,
  MediaTrackPrevious: 88,
});

/** Keys that print: sent as keys only with Ctrl, Alt or Meta; otherwise their text is sent. */
export const PRINTING_KEYS = Object.freeze({
  ...letters,
  ...digits,
  Space: 62,
  Comma: 55,
  Period: 56,
  Slash: 76,
  Semicolon: 74,
  Quote: 75,
  Backquote: 68,
  Minus: 69,
  Equal: 70,
  BracketLeft: 71,
  BracketRight: 72,
  Backslash: 73,
});

const META = Object.freeze({ shift: 0x1 | 0x40, alt: 0x2 | 0x10, ctrl: 0x1000 | 0x2000, meta: 0x10000 | 0x20000 });

/** The modifiers of a keyboard event as an Android metastate (each as its left key). */
export function metastate(event) {
  return (
    (event.shiftKey ? META.shift : 0) |
    (event.altKey ? META.alt : 0) |
    (event.ctrlKey ? META.ctrl : 0) |
    (event.metaKey ? META.meta : 0) |
    (event.getModifierState("CapsLock") ? 0x100000 : 0) |
    (event.getModifierState("NumLock") ? 0x200000 : 0)
  );
}
