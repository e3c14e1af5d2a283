// Sums over whole maps: a padded copy of a plane, and its correlation with a kernel, in float64.

import { AXES, sourceOf } from "./geometry.js";

const MAGIC = 1.5 * 2 ** 52; // a number plus this minus this is rounded to a whole one, half to even

/** A number rounded to a whole one, half to even. */
export function halfEven(value) {
  return Math.abs(value) < 2 ** 51 ? value + MAGIC - MAGIC : value;
}

/** Rounded half to even, and clipped to 0..largest; NaN becomes 0. */
export function toLevel(value, largest) {
  return value > 0 ? (value < largest ? halfEven(value) : largest) : 0;
}

/** A plane with its padding, float64: {data, height, width}. */
export function padded(plane, size, pads, border) {
  const [height, width] = AXES.map((axis) => size[axis] + pads[axis][0] + pads[axis][1]);
  const data = new Float64Array(height * width), [top, left] = [pads[0][0], pads[1][0]];
  const beyond = [];
  for (let j = -left; j < width - left; j++) if (j < 0 || j >= size[1]) beyond.push([j + left, sourceOf(border.mode, j, size[1])]);
  for (let i = 0; i < height; i++) {
    const source = sourceOf(border.mode, i - top, size[0]), start = i * width;
    if (source < 0) {
      data.fill(border.value, start, start + width);
      continue;
    }
    data.set(plane.subarray(source * size[1], (source + 1) * size[1]), start + left);
    for (const [j, column] of beyond) data[start + j] = column < 0 ? border.value : data[start + left + column];
  }
  return { data, height, width };
}

/** Add the correlation of a padded plane with `taps` (rows of numbers) to `sums` (hOut * wOut), taps in reading order. */
export function addCorrelation(sums, [hOut, wOut], source, taps, stride, dilation) {
  const list = [];
  taps.forEach((line, u) => line.forEach((tap, v) => {
    if (tap !== 0) list.push([tap, u * dilation[0] * source.width + v * dilation[1]]);
  }));
  const { data, width } = source, step = stride[1], fours = list.length - (list.length % 4);
  for (let i = 0; i < hOut; i++) {
    const start = i * stride[0] * width, end = (i + 1) * wOut;
    for (let n = 0; n < fours; n += 4) {
      const [[a, p], [b, q], [c, r], [d, s]] = [list[n], list[n + 1], list[n + 2], list[n + 3]];
      addFour(sums, data, i * wOut, end, step, a, b, c, d, start + p, start + q, start + r, start + s);
    }
    for (let n = fours; n < list.length; n++) addOne(sums, data, i * wOut, end, step, list[n][0], start + list[n][1]);
  }
}

function addFour(sums, data, first, end, step, a, b, c, d, p, q, r, s) {
  for (let o = first, j = 0; o < end; o++, j += step) {
    sums[o] = sums[o] + a * data[p + j] + b * data[q + j] + c * data[r + j] + d * data[s + j];
  }
}

function addOne(sums, data, first, end, step, a, p) {
  for (let o = first, j = p; o < end; o++, j += step) sums[o] += a * data[j];
}

/** The sum of a patch of values times taps, in the order of `addCorrelation`. */
export function sumOf(values, taps) {
  let sum = 0;
  taps.forEach((line, u) => line.forEach((tap, v) => {
    if (tap !== 0) sum += tap * values[u][v];
  }));
  return sum;
}
