// Reads the bar code of a simulated device from a picture. The layout stands in barcode.py.
//
// readBarCode(imageData, width, height) -> { frameNumber, timeUs, timeMs } or null
//   imageData: RGBA samples of the strip at the top of the picture: an ImageData, or anything with data and width.
//   width, height: size of the WHOLE picture in the pixels of imageData; the strip is its top Math.ceil(height / 16) rows,
//   so `context.getImageData(0, 0, width, Math.ceil(height / 16))` is enough.
//   timeUs is a BigInt (CLOCK_REALTIME in µs), timeMs the same as a number in ms with a fraction, comparable with
//   performance.timeOrigin + performance.now() on the same machine. null: no code, or a damaged one.

const COLUMNS = 32;
const ROWS = 4;
const MAGIC = 0xb5c3;

function cell(data, stride, left, right, top, bottom) {
  const dx = (right - left) >> 2;
  const dy = (bottom - top) >> 2;
  let sum = 0;
  let count = 0;
  for (let y = top + dy; y < bottom - dy; y++) {
    for (let x = left + dx; x < right - dx; x++) {
      sum += data[(y * stride + x) * 4 + 1]; // green stands for luma: cells are grey
      count++;
    }
  }
  return sum >= 128 * count ? 1 : 0;
}

function crc16(bytes, from, to) {
  let crc = 0xffff;
  for (let at = from; at < to; at++) {
    crc ^= bytes[at] << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

export function readBarCode(imageData, width, height) {
  if (width < COLUMNS * 2 || height < ROWS * 16 * 2) return null;
  const bytes = new Uint8Array(16);
  for (let row = 0; row < ROWS; row++) {
    const top = Math.floor((row * height) / 64);
    const bottom = Math.floor(((row + 1) * height) / 64);
    for (let column = 0; column < COLUMNS; column++) {
      const left = Math.floor((column * width) / COLUMNS);
      const right = Math.floor(((column + 1) * width) / COLUMNS);
      const bit = cell(imageData.data, imageData.width, left, right, top, bottom);
      bytes[row * 4 + (column >> 3)] |= bit << (7 - (column & 7));
    }
  }
  const view = new DataView(bytes.buffer);
  if (view.getUint16(0) !== MAGIC || view.getUint16(14) !== crc16(bytes, 2, 14)) return null;
  const timeUs = view.getBigUint64(6);
  return { frameNumber: view.getUint32(2), timeUs, timeMs: Number(timeUs) / 1000 };
}
