// Sums over whole maps: a padded copy of a plane, and its correlation with a kernel, in float64.

import { AXES, sourceOf } from "./geometry.js";

const LEAST_PRODUCT = 49; // taps for which two passes are faster than one
const MAGIC = 1.5 * 2 ** 52; // a number plus this minus this is rounded to a whole one, half to even

/** A number rounded to a whole one, half to even. */
export function halfEven(value) {
  return Math.abs(value) < 2 ** 51 ? value + MAGIC - MAGIC : value;
}

/** Rounded half to even, and clipped to 0..largest; NaN becomes 0. */
export function toLevel(value, largest) {
  return value > 0 ? (value < largest ? halfEven(value) : largest) : 0;
}

/** A plane with its padding, as an array of a `Type`: {data, height, width}. */
export function padded(plane, size, pads, border, Type = Float64Array) {
  const [height, width] = AXES.map((axis) => size[axis] + pads[axis][0] + pads[axis][1]);
  const data = new Type(height * width);
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

/** Add the correlation of a padded plane with `taps` (rows of numbers) to `sums` (hOut * wOut), taps in reading order. */
export function addCorrelation(sums, [hOut, wOut], plane, taps, stride, dilation) {
  const { data, width, placeOf } = byPhase(plane, stride[1]);
  const places = taps.flatMap((line, u) => line.flatMap((tap, v) => (tap ? u * dilation[0] * width + placeOf(v * dilation[1]) : [])));
  const [weights, offsets] = [Float64Array.from(taps.flat().filter(Boolean)), Int32Array.from(places)];
  for (let i = 0; i < hOut; i++) addTaps(sums, data, i * wOut, (i + 1) * wOut, weights, offsets, i * stride[0] * width);
}

/** A plane whose rows hold every `stride`th cell from the first one, then from the second one and so on, so that windows are neighbours. */
function byPhase({ data, width }, stride) {
  if (stride === 1) return { data, width, placeOf: (column) => column };
  const count = Math.ceil(width / stride);
  const placeOf = (column) => (column % stride) * count + Math.floor(column / stride);
  const places = Int32Array.from({ length: width }, (_, column) => placeOf(column));
  const rows = data.length / width;
  const out = new Float64Array(rows * count * stride);
  for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) out[i * count * stride + places[j]] = data[i * width + j];
  return { data: out, width: count * stride, placeOf };
}

/** `addCorrelation` by columns and then by rows where the taps are an outer product, which takes far less time for large kernels. */
export function addProduct(sums, output, source, taps, stride, dilation) {
  const factors = taps.length * taps[0].length >= LEAST_PRODUCT ? factorsOf(taps) : null;
  if (!factors) {
    addCorrelation(sums, output, source, taps, stride, dilation);
    return;
  }
  const middle = new Float64Array(output[0] * source.width);
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

/** Add the products of all taps to a row of sums, eight sums at a time, which stay in registers. */
function addTaps(sums, data, first, end, weights, offsets, start) {
  const count = weights.length;
  let o = first | 0; // whole for the compiler too: if it saw another number here once, the loop would take twice as long
  let j = start | 0;
  for (; o + 8 <= end; o += 8, j += 8) {
    let a = sums[o];
    let b = sums[o + 1];
    let c = sums[o + 2];
    let d = sums[o + 3];
    let e = sums[o + 4];
    let f = sums[o + 5];
    let g = sums[o + 6];
    let h = sums[o + 7];
    for (let n = 0; n < count; n++) {
      const weight = weights[n];
      const q = j + offsets[n];
      a += weight * data[q];
      b += weight * data[q + 1];
      c += weight * data[q + 2];
      d += weight * data[q + 3];
      e += weight * data[q + 4];
      f += weight * data[q + 5];
      g += weight * data[q + 6];
      h += weight * data[q + 7];
    }
    sums[o] = a;
    sums[o + 1] = b;
    sums[o + 2] = c;
    sums[o + 3] = d;
    sums[o + 4] = e;
    sums[o + 5] = f;
    sums[o + 6] = g;
    sums[o + 7] = h;
  }
  for (; o < end; o++, j++) for (let n = 0; n < count; n++) sums[o] += weights[n] * data[j + offsets[n]];
}

const ROWS = {
  sum: (out, data, start, step) => {
    for (let o = 0, j = start | 0; o < out.length; o++, j += step) out[o] += data[j];
  },
  max: (out, data, start, step) => {
    for (let o = 0, j = start | 0; o < out.length; o++, j += step) out[o] = Math.max(out[o], data[j]);
  },
  min: (out, data, start, step) => {
    for (let o = 0, j = start | 0; o < out.length; o++, j += step) out[o] = Math.min(out[o], data[j]);
  },
};

/** What every window of a padded plane is reduced to: its "sum", "max" or "min". Full windows are reduced by columns, then by rows. */
export function reduceWindows(kind, [hOut, wOut], { data, width }, taps, stride, dilation) {
  const values = new Float64Array(hOut * wOut);
  const addRow = ROWS[kind];
  const neutral = { sum: 0, max: -Infinity, min: Infinity }[kind];
  const full = taps.flat().every(Boolean);
  const line = new Float64Array(width);
  for (let i = 0; i < hOut; i++) {
    const out = values.subarray(i * wOut, (i + 1) * wOut).fill(neutral);
    const rows = taps.map((_, u) => (i * stride[0] + u * dilation[0]) * width);
    if (!full) {
      taps.forEach((row, u) => row.forEach((tap, v) => tap && addRow(out, data, rows[u] + v * dilation[1], stride[1])));
      continue;
    }
    line.fill(neutral);
    for (const row of rows) addRow(line, data, row, 1);
    for (const v of taps[0].keys()) addRow(out, line, v * dilation[1], stride[1]);
  }
  return values;
}

/** The lowest and the highest finite value of a plane, or of its `known` cells; [Infinity, -Infinity] where there is none. */
export function extremes(plane, known) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < plane.length; i++) {
    if (known && !known[i]) continue;
    const value = plane[i];
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return [low, high];
}

/** Sums plus a number, as float32. */
export function float32(sums, more) {
  if (more) for (let i = 0; i < sums.length; i++) sums[i] += more;
  return new Float32Array(sums);
}

/** The sum of a patch of values times taps, in the order of `addCorrelation`. */
export function sumOf(values, taps) {
  let sum = 0;
  taps.forEach((line, u) =>
    line.forEach((tap, v) => {
      if (tap !== 0) sum += tap * values[u][v];
    }),
  );
  return sum;
}
