// The page: the wall at `/`, one device at `/#SERIAL`.

import { DeviceList } from "./devices.js";
import { Viewer } from "./viewer.js";
import { Wall } from "./wall.js";

const list = new DeviceList();
const wallElement = document.getElementById("wall");
const viewerElement = document.getElementById("viewer");
const wall = new Wall(wallElement, list);
const viewer = new Viewer(viewerElement, list);

function wantedSerial() {
  const raw = location.hash.slice(1);
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw; // a stray % in an address that somebody typed
  }
}

function route(at) {
  const serial = wantedSerial();
  if (serial === (viewer.serial ?? "") && document.body.dataset.state) return;
  const left = viewer.serial;
  wallElement.hidden = serial !== "";
  viewerElement.hidden = serial === "";
  if (serial !== "") {
    viewer.open(serial, at);
    viewerElement.querySelector("#keys").focus({ preventScroll: true });
  } else {
    viewer.close();
    document.body.dataset.state = "wall";
    document.title = "mediacore";
    if (left !== null) wall.focus(left);
  }
}

const THEMES = ["auto", "light", "dark"];

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.setAttribute("aria-label", `Colours: ${theme}`);
  button.title = `Colours: ${theme}`;
}

document.getElementById("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  localStorage.setItem("theme", next);
  showTheme(next);
});
showTheme(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");

list.addEventListener("change", () => {
  const notice = document.getElementById("notice");
  notice.textContent = list.error ?? "";
  notice.hidden = list.error === null;
});

window.addEventListener("hashchange", () => route(performance.now()));
window.addEventListener("pagehide", () => viewer.close());
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return; // brought back from the browser's memory: connect again
  document.body.dataset.state = "";
  route(performance.now());
});

route(0);
list.start();
