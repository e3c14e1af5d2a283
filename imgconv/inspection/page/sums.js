// Sums over whole maps: a padded copy of a plane, and its correlation with a kernel, in float64.

import { AXES, sourceOf } from "./geometry.js";
import { addWindows, overTaps, raiseToTaps } from "./taps.js";

const LEAST_PRODUCT = 49; // taps for which two passes are faster than one
const MOST_AT_ONCE = 4; // of an image that are summed at once
const EXACT_BITS = 54; // bits of a whole number and its sign
const MAGIC = 1.5 * 2 ** 52; // a number plus this minus this is rounded to a whole one, half to even

/** A number rounded to a whole one, half to even. */
export function halfEven(value) {
  return Math.abs(value) < 2 ** 51 ? value + MAGIC - MAGIC : value;
}

/** Rounded half to even, and clipped to 0..largest; NaN becomes 0. */
export function toLevel(value, largest) {
  return value > 0 ? (value < largest ? halfEven(value) : largest) : 0;
}

const memory = {};

/** A function from a length to an array that holds anything, in the memory of the last one of that `Type` for that purpose. */
export function reusing(purpose, Type = Float64Array) {
  const name = `${purpose} ${Type.name}`;
  return (length) => {
    if (!(memory[name]?.length >= length)) memory[name] = new Type(length); // which takes as long as to fill it with sums
    return memory[name].subarray(0, length);
  };
}

/** A plane with its padding, as an array of a `Type`, new or made by `arrayOf`: {data, height, width}. */
export function padded(plane, size, pads, border, Type = Float64Array, arrayOf = (length) => new Type(length)) {
  const [height, width] = AXES.map((axis) => size[axis] + pads[axis][0] + pads[axis][1]);
  const data = arrayOf(height * width);
  const [top, left] = [pads[0][0], pads[1][0]];
  const beyond = [];
  for (let j = -left; j < width - left; j++) if (j < 0 || j >= size[1]) beyond.push([j + left, sourceOf(border.mode, j, size[1])]);
  for (let i = 0; i < height; i++) {
    const source = sourceOf(border.mode, i - top, size[0]);
    const start = i * width;
    if (source < 0) {
      data.fill(border.value, start, start + width);
      continue;
    }
    data.set(plane.subarray(source * size[1], (source + 1) * size[1]), start + left);
    for (const [j, column] of beyond) data[start + j] = column < 0 ? border.value : data[start + left + column];
  }
  return { data, height, width };
}

/** The largest level of an array of whole levels, 0 for other numbers. */
function largestLevel(data) {
  return data instanceof Uint8Array || data instanceof Uint16Array ? 2 ** (8 * data.BYTES_PER_ELEMENT) - 1 : 0;
}

/** The type of array that holds a plane and its padding: that of levels, or float64. */
export function paddedType(plane, { value }) {
  return Number.isInteger(value) && value >= 0 && value <= largestLevel(plane) ? plane.constructor : Float64Array;
}

/**
 * Add the correlation of a padded plane with `taps` (rows of numbers) to `sums` (hOut * wOut), taps in reading order. Taps of 0 add
 * nothing, but 0 times NaN or infinity is NaN.
 */
export function addCorrelation(sums, output, plane, taps, stride, dilation) {
  if (largestLevel(plane.data)) {
    addLevels(sums, output, plane, taps, stride, dilation);
    return;
  }
  plane.isFinite ??= allFinite(plane.data);
  addWindows(sums, output, plane, taps, stride, dilation, plane.isFinite);
}

/**
 * `addCorrelation` of whole levels. If all taps are whole, the image is cut into parts of as many rows, and the cells of all parts are put
 * into one number, which adds up the sums of all of them at once, exactly.
 */
function addLevels(sums, [hOut, wOut], { data, width }, taps, stride, dilation) {
  const parts = partsOf(largestLevel(data), taps.flat());
  if (parts === 1) {
    const numbers = reusing("numbers")(data.length);
    numbers.set(data);
    addWindows(sums, [hOut, wOut], { data: numbers, width }, taps, stride, dilation);
    return;
  }
  const unit = 2 ** Math.floor(EXACT_BITS / parts);
  const rows = Math.ceil(hOut / parts);
  const cells = reusing("packed cells")(((rows - 1) * stride[0] + (taps.length - 1) * dilation[0] + 1) * width).fill(0);
  for (let part = parts - 1; part >= 0; part--) {
    const first = part * rows * stride[0] * width;
    const count = Math.min(cells.length, data.length - first);
    for (let n = 0; n < count; n++) cells[n] = cells[n] * unit + data[first + n];
  }
  const packed = reusing("packed sums")(rows * wOut).fill(0);
  addWindows(packed, [rows, wOut], { data: cells, width }, taps, stride, dilation);
  for (let first = 0; first < sums.length; first += packed.length) {
    const count = Math.min(packed.length, sums.length - first);
    for (let n = 0; n < count; n++) {
      const sum = packed[n];
      const others = sum * (1 / unit) + MAGIC - MAGIC;
      sums[first + n] += sum - others * unit;
      packed[n] = others;
    }
  }
}

/** How many sums of products of levels up to `largest` with whole taps fit into one number with their signs; 1 for other taps. */
function partsOf(largest, taps) {
  const most = largest * taps.reduce((sum, tap) => sum + Math.abs(tap), 0);
  if (!taps.every(Number.isInteger)) return 1;
  let parts = MOST_AT_ONCE;
  while (parts > 1 && most >= 2 ** (Math.floor(EXACT_BITS / parts) - 1)) parts--;
  return parts;
}

/** Whether a plane holds neither NaN nor infinity. */
export function allFinite(plane) {
  for (let i = 0; i < plane.length; i++) if (plane[i] - plane[i] !== 0) return false;
  return true;
}

/** `addCorrelation` by columns and then by rows where the taps are an outer product, which takes far less time for large kernels. */
export function addProduct(sums, output, source, taps, stride, dilation) {
  const factors = taps.length * taps[0].length >= LEAST_PRODUCT ? factorsOf(taps) : null;
  if (!factors) {
    addCorrelation(sums, output, source, taps, stride, dilation);
    return;
  }
  const middle = reusing("middle")(output[0] * source.width).fill(0);
  const columns = factors.column.map((tap) => [tap]);
  addCorrelation(middle, [output[0], source.width], source, columns, [stride[0], 1], [dilation[0], 1]);
  addCorrelation(sums, output, { data: middle, width: source.width }, [factors.row], [1, stride[1]], [1, dilation[1]]);
}

/** A column and a row whose products are the taps, null where there is none; whole numbers stay whole. */
function factorsOf(taps) {
  const sizes = taps.flat().map(Math.abs);
  const largest = Math.max(...sizes);
  const at = sizes.indexOf(largest);
  const width = taps[0].length;
  if (!largest) return null;
  const column = taps.map((line) => line[at % width]);
  const row = taps[Math.floor(at / width)].map((tap) => tap / largest);
  const sign = Math.sign(column[Math.floor(at / width)]);
  const exact = taps.flat().every(Number.isInteger);
  if (exact && !row.every(Number.isInteger)) return null;
  const fits = taps.every((line, u) => line.every((tap, v) => Math.abs(tap - sign * column[u] * row[v]) <= 1e-12 * largest));
  return fits ? { column: column.map((tap) => sign * tap), row } : null;
}

/**
 * What every window of a padded plane is reduced to: its "sum", "max" or "min", or its "count", the sum of whole numbers, which is exact
 * in any order. Full windows are reduced by columns, then by rows. `arrayOf` gives the memory of the results.
 */
export function reduceWindows(kind, output, plane, taps, stride, dilation, arrayOf = (length) => new Float64Array(length)) {
  const isSliding = [...stride, ...dilation].every((cells) => cells === 1) && taps.flat().every((tap) => tap === 1);
  const values = arrayOf(output[0] * output[1]);
  if (kind === "count" && isSliding) return slidingSums(values, output, plane, taps.length, taps[0].length);
  if (kind === "sum" || kind === "count") {
    addProduct(values.fill(0), output, plane, taps, stride, dilation);
    return values;
  }
  const cells = kind === "min" ? { ...plane, data: negated(plane.data, reusing("negated")(plane.data.length)) } : plane;
  values.fill(-Infinity);
  if (taps.flat().every(Boolean)) {
    const { width } = plane;
    const middle = reusing("middle")(output[0] * width).fill(-Infinity);
    const column = taps.map(() => [1]);
    overTaps(raiseToTaps, middle, [output[0], width], cells, column, [stride[0], 1], [dilation[0], 1]);
    overTaps(raiseToTaps, values, output, { data: middle, width }, [taps[0]], [1, stride[1]], [1, dilation[1]]);
  } else overTaps(raiseToTaps, values, output, cells, taps, stride, dilation);
  return kind === "min" ? negated(values, values) : values;
}

/** The sums under windows that move by one cell: of the sum of each column, and of each window, only the ends change. */
function slidingSums(values, [hOut, wOut], { data, width }, height, across) {
  const columns = new Float64Array(width);
  for (let n = 0; n < height * width; n++) columns[n % width] += data[n];
  for (let i = 0, o = 0; i < hOut; i++) {
    if (i) for (let j = 0, n = (i - 1) * width; j < width; j++, n++) columns[j] += data[n + height * width] - data[n];
    let sum = 0;
    for (let j = 0; j < across - 1; j++) sum += columns[j];
    for (let j = 0; j < wOut; j++, o++) {
      sum += columns[j + across - 1];
      values[o] = sum;
      sum -= columns[j];
    }
  }
  return values;
}

/** Subtract `less` from some values. */
export function subtract(values, less) {
  for (let i = 0; i < values.length; i++) values[i] -= less[i];
  return values;
}

function negated(plane, out) {
  for (let i = 0; i < plane.length; i++) out[i] = -plane[i];
  return out;
}

/** The lowest and the highest finite value of a plane, or of its `known` cells; [Infinity, -Infinity] where there is none. */
export function extremes(plane, known) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < plane.length; i++) {
    const value = plane[i];
    if (value >= low && value <= high) continue; // most are between those before them
    if ((known && !known[i]) || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Sums plus a number, as float32. */
export function float32(sums, more) {
  if (more) for (let i = 0; i < sums.length; i++) sums[i] += more;
  return new Float32Array(sums);
}

/** Whether the product of a tap and a value changes a sum. */
export function isAdded(tap, value) {
  return tap !== 0 || !Number.isFinite(value);
}

/** The sum of a patch of values times taps, in the order of `addCorrelation`. */
export function sumOf(values, taps) {
  let sum = 0;
  taps.forEach((line, u) =>
    line.forEach((tap, v) => {
      if (isAdded(tap, values[u][v])) sum += tap * values[u][v];
    }),
  );
  return sum;
}
