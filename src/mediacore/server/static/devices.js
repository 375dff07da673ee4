// The list of devices: asked for each two seconds while the page is seen.

const POLL_MS = 2000;
const TIMEOUT_MS = 8000;

/** Events: "change" when a list has come or failed. `devices` is the newest list, `error` the words of a failure or null. */
export class DeviceList extends EventTarget {
  devices = null;
  error = null;
  #timer = 0;
  #running = false;

  start() {
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#poll();
    });
    this.#poll();
  }

  find(serial) {
    return this.devices?.find((device) => device.serial === serial) ?? null;
  }

  async #poll() {
    clearTimeout(this.#timer);
    if (this.#running || document.hidden) return;
    this.#running = true;
    try {
      const response = await fetch("/api/v1/devices", { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const body = await response.json();
      if (!response.ok) throw new Error(body.detail);
      this.devices = body.devices;
      this.error = null;
    } catch (error) {
      const unreachable = ["TypeError", "TimeoutError", "SyntaxError"].includes(error.name);
      this.error = unreachable ? "The service does not answer. Trying again…" : error.message;
    }
    this.#running = false;
    this.dispatchEvent(new Event("change"));
    this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }
}

/** Address of a device's screenshot; never the same twice, so that no old one is shown. */
export function screenshotUrl(serial) {
  return `/api/v1/devices/${encodeURIComponent(serial)}/screenshot?at=${Date.now()}`;
}

/** A device's state in plain words. */
export const STATE_WORDS = Object.freeze({
  device: "Ready",
  connecting: "Connecting…",
  offline: "Does not answer",
  unauthorized: "Accept this computer on the device’s screen",
});
