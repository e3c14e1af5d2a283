// Alpha, the last plane of maps with `alpha`: colours over black, and colours that count by their alpha, which is filtered with them.

import { AXES, anchorOf } from "./geometry.js";
import { halfEven, reusing, toLevel } from "./sums.js";

const flat = new WeakMap();

/** The planes of colours. */
export function coloursOf({ planes, alpha }) {
  return alpha ? planes.slice(0, -1) : planes;
}

/** Whether plane `c` is alpha. */
export function isAlpha({ planes, alpha }, c) {
  return Boolean(alpha) && c === planes.length - 1;
}

/** Maps over black, without alpha. */
export function overBlack(maps) {
  if (!maps.alpha) return maps;
  if (!flat.has(maps)) {
    const { names, valid, largest, whole } = maps;
    const alpha = maps.planes.at(-1);
    const half = Math.floor(largest / 2);
    const over = (value, i) => (whole ? Math.floor((value * alpha[i] + half) / largest) : value * alpha[i]);
    const planes = coloursOf(maps).map((plane) => plane.map(over));
    flat.set(maps, { ...maps, planes, names: names.slice(0, -1), valid: valid?.slice(0, -1) ?? null, alpha: false });
  }
  return flat.get(maps);
}

/** Maps of the colours as they are, without alpha. */
export function withoutAlpha(maps) {
  if (!maps.alpha) return maps;
  const { names, valid } = maps;
  return { ...maps, planes: coloursOf(maps), names: names.slice(0, -1), valid: valid?.slice(0, -1) ?? null, alpha: false };
}

/** Colours times alpha, as some files store them, become colours: float64 planes, 0 where alpha is 0. */
export function straight(planes, largest) {
  const alpha = planes.at(-1);
  const divided = (value, i) => (alpha[i] > 0 ? (value * largest) / alpha[i] : 0);
  return planes.map((plane) => (plane === alpha ? plane : Float64Array.from(plane, divided)));
}

/** Maps whose colours, if they were divided by alpha, are rounded to whole levels. */
export function rounded(maps) {
  const { planes, whole } = maps;
  if (!whole || planes[0].constructor !== Float64Array) return maps;
  return { ...maps, planes: planes.map((plane) => planes.at(-1).constructor.from(plane, halfEven)) };
}

/** Maps of colours with the alpha of other maps, if those have one. */
export function withAlphaOf({ planes, alpha }, maps) {
  if (!alpha) return { ...maps, alpha: false };
  const valid = maps.valid && [...maps.valid, maps.valid[0]];
  return { ...maps, planes: [...maps.planes, planes.at(-1)], names: [...maps.names, "alpha"], valid, alpha: true };
}

/** Colours times alpha, and alpha: float64 planes, whole numbers where the products of levels are. */
export function premultiplied(planes, whole) {
  const alpha = planes.at(-1);
  return planes.map((plane, c) => {
    if (plane === alpha) return plane;
    const product = reusing(`product ${c}`)(plane.length);
    for (let i = 0; i < plane.length; i++) product[i] = whole ? Math.round(plane[i] * alpha[i]) : plane[i] * alpha[i];
    return product;
  });
}

/** A sum of alpha within what an opaque image gives, `total` being the sum of the taps; 0 where nothing is under the kernel. */
export function alphaSum(sum, { total, largest }) {
  return Math.max(Math.min(Math.sign(total) * sum, largest * Math.abs(total)), 0);
}

/** A colour from its sum times alpha and the `alphaSum`, which is not 0. */
export function colourFrom(sum, alphas, { total, divisor }) {
  return (Math.abs(total) * sum) / (alphas * divisor);
}

/** Alpha from the `alphaSum`, by the kernel scaled to sum 1. */
export function alphaFrom(alphas, { total }) {
  return alphas / Math.abs(total);
}

/** The input cell [row, column] whose alpha an output cell has: that under the anchor of the window, or the nearest inside. */
export function cellUnderAnchor({ window, size, pads }, at) {
  const anchor = anchorOf(window);
  return AXES.map((axis) => {
    const cell = at[axis] * window.stride[axis] + anchor[axis] * window.dilation[axis] - pads[axis][0];
    return Math.min(Math.max(cell, 0), size[axis] - 1);
  });
}

/** Alpha as it is under the anchor of each window. */
export function keptAlpha(plane, place) {
  const [height, width] = place.output;
  const out = new Float64Array(height * width);
  const columns = Array.from({ length: width }, (_, j) => cellUnderAnchor(place, [0, j])[1]);
  for (let i = 0; i < height; i++) {
    const start = cellUnderAnchor(place, [i, 0])[0] * place.size[1];
    for (let j = 0; j < width; j++) out[i * width + j] = plane[start + columns[j]];
  }
  return out;
}

/** Alpha as pixels: rounded for whole levels. */
export function alphaPixels(values, { whole, largest, planes: [{ constructor }] }, floats) {
  if (floats || !whole) return (floats ? Float32Array : constructor).from(values);
  const pixels = new constructor(values.length);
  for (let i = 0; i < values.length; i++) pixels[i] = toLevel(values[i], largest);
  return pixels;
}
