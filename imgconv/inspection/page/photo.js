// The photograph of the page, from the text in which it is embedded: exact levels, without any image format of the browser.

import { straight } from "./alpha.js";
import { bytesOf } from "./packed.js";

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array, float64: Float64Array };

/** Float32 numbers of a base64 text, nested as in `shape`. */
export function arrayOf({ shape, data }) {
  const flat = Array.from(new Float32Array(bytesOf(data).buffer));
  return shape.reduceRight(
    (list, size) => Array.from({ length: list.length / size }, (_, n) => list.slice(n * size, (n + 1) * size)),
    flat,
  )[0];
}

/** The maps of the photograph: `facts` and `bytes` are those of `imgconv.inspection.page.photo`. */
export function photoOf(facts, bytes) {
  const { height, width, names, alpha, dtype, varies, groups, premultiplied: isProduct, largest } = facts;
  let planes = names.map((_, c) => planeOf(bytes, c, height * width, TYPES[dtype]));
  if (varies) {
    for (const [c, plane] of planes.entries()) planes[c] = restored(plane, height, width, varies, groups[c]);
    if (names.length - Number(alpha) === 3) for (const c of [0, 2]) planes[c].forEach((value, i) => (planes[c][i] = value + planes[1][i]));
  }
  if (isProduct) planes = straight(planes, largest);
  const valid = validIn(bytes.subarray(names.length * height * width * TYPES[dtype].BYTES_PER_ELEMENT), facts);
  return { ...facts, planes, valid, whole: dtype.startsWith("uint"), floats: false, stretch: null, vector: false };
}

/** The valid cells of every plane from their bits, the first one the highest of a byte; null without masks. */
function validIn(bytes, { masks, names, height, width }) {
  if (!masks) return null;
  const count = height * width;
  const planes = Array.from({ length: masks }, (_, c) => {
    const first = c * Math.ceil(count / 8);
    return Uint8Array.from({ length: count }, (_, i) => (bytes[first + (i >> 3)] >> (7 - (i & 7))) & 1);
  });
  return names.map((_, c) => planes[c] ?? planes[0]);
}

/** One plane; the bytes of a value lie a whole plane apart, the lowest first. */
function planeOf(bytes, c, count, Type) {
  const size = Type.BYTES_PER_ELEMENT;
  const out = new Uint8Array(count * size);
  for (let b = 0; b < size; b++) {
    const start = (c * size + b) * count;
    for (let i = 0; i < count; i++) out[i * size + b] = bytes[start + i];
  }
  return new Type(out.buffer);
}

/** Levels from differences: what was predicted from the cells to the left and above (the median rule of JPEG-LS) is added. */
function restored(differences, height, width, bounds, counts) {
  const plane = new differences.constructor(differences.length);
  const group = new Uint8Array(bounds.at(-1) + 1);
  for (const n of group.keys()) group[n] = bounds.filter((bound) => n >= bound).length;
  const next = counts.map((_, n) => counts.slice(0, n).reduce((sum, count) => sum + count, 0));
  for (let i = 0, n = 0; i < height; i++) {
    for (let j = 0; j < width; j++, n++) {
      const left = j ? plane[n - 1] : i ? plane[n - width] : 0;
      const above = i ? plane[n - width] : left;
      const corner = i && j ? plane[n - width - 1] : above;
      const low = Math.min(left, above);
      const high = Math.max(left, above);
      const at = group[Math.min(Math.abs(left - corner) + Math.abs(above - corner), group.length - 1)];
      plane[n] = differences[next[at]++] + (corner >= high ? low : corner <= low ? high : left + above - corner);
    }
  }
  return plane;
}
