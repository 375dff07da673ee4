"""Firefox on the viewer page, in a process of its own: ``python firefox_page.py FRAMES FOLDER URL...``.

Opens each address, waits until so many pictures were presented, and prints one line of JSON for each: ``state``,
``codec``, ``size``, ``frames``, ``seconds`` (of them), ``first_ms``, ``latency`` (as the page shows it) and ``colours``
(means about ``patches.PLACES``). Firefox is driven by Marionette, its own protocol, and keeps its files in FOLDER.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from marionette_driver.errors import JavascriptException, ScriptTimeoutException
from marionette_driver.marionette import Marionette
from patches import PLACES, READ

FIREFOX = "/usr/bin/firefox-esr"
START_S = 60
PICTURES_S = 30
PREFERENCES = {
    "media.peerconnection.ice.obfuscate_host_addresses": False,  # no name is looked up by mDNS
    "media.peerconnection.ice.loopback": True,
    "media.autoplay.default": 0,
}
COUNT = """
const [count, done] = arguments, video = document.querySelector("video");
let frames = 0, first = 0;
const presented = (now) => {
    frames += 1;
    if (frames === 1) first = now;
    if (frames < count) video.requestVideoFrameCallback(presented);
    else done([frames, (now - first) / 1000]);
};
video.requestVideoFrameCallback(presented);
"""
SAYS = """
const text = (id) => document.getElementById(id).textContent, video = document.querySelector("video");
return {state: document.body.dataset.state, words: text("state"), codec: text("codec"), latency: text("latency"),
        size: [video.videoWidth, video.videoHeight], first_ms: Number(video.dataset.firstFrameMs)};
"""


def watch(firefox: Marionette, url: str, count: int) -> dict[str, Any]:
    """What the page shows after ``count`` pictures."""
    firefox.timeout.script = PICTURES_S
    firefox.navigate("about:blank")  # the way to another query with the same fragment is not waited for
    firefox.navigate(url)
    try:
        frames, seconds = firefox.execute_async_script(COUNT, [count])
    except (JavascriptException, ScriptTimeoutException):
        frames, seconds = 0, 0
    says: dict[str, Any] = firefox.execute_script(SAYS)
    colours = firefox.execute_script(f"return ({READ})(arguments[0])", [PLACES]) if frames else []
    return says | {"frames": frames, "seconds": seconds, "colours": colours}


def main(count: int, folder: Path, urls: list[str]) -> None:
    """Start Firefox, watch one after the other, end it."""
    os.environ["HOME"] = tempfile.tempdir = str(folder)
    firefox = Marionette(
        bin=FIREFOX,
        host="127.0.0.1",
        port=0,
        headless=True,
        prefs=PREFERENCES,
        gecko_log=str(folder / "gecko.log"),
        startup_timeout=START_S,
    )
    try:
        firefox.start_session()
        for url in urls:
            print(json.dumps(watch(firefox, url, count)), flush=True)
    finally:
        with contextlib.suppress(Exception):  # it may have ended by itself; what counts is that it is gone
            firefox.quit(in_app=False)
        firefox.cleanup()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
