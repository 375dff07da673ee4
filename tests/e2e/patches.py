"""The colours of the scene ``patches`` as a browser shows them, against what the device has."""

from mediacore.testing.scenes import PATCHES, patch_centre

READ = """(places) => {
    const video = document.querySelector('video'), side = 9;
    const canvas = Object.assign(document.createElement('canvas'), {width: side, height: side});
    const context = canvas.getContext('2d', {willReadFrequently: true, colorSpace: 'srgb'});
    return places.map(([x, y]) => {
        const left = Math.round(x * video.videoWidth - side / 2), top = Math.round(y * video.videoHeight - side / 2);
        context.drawImage(video, left, top, side, side, 0, 0, side, side);
        const sums = [0, 0, 0];
        context.getImageData(0, 0, side, side).data.forEach((value, at) => { if (at % 4 < 3) sums[at % 4] += value; });
        return sums.map((sum) => sum / side ** 2);
    });
}"""
"""A function of a page: the mean colour about each place of the video, places being shares of its width and height."""
PLACES = [patch_centre(number) for number in range(len(PATCHES))]


def errors(shown: list[list[float]]) -> list[tuple[float, tuple[int, int, int], list[float]]]:
    """For each patch how far off it is in its worst channel, what it is, and what is shown; the worst first."""
    found = [
        (max(abs(is_ - should) for is_, should in zip(pixel, colour, strict=True)), colour, pixel)
        for (colour, _), pixel in zip(PATCHES, shown, strict=True)
    ]
    return sorted(found, reverse=True)
