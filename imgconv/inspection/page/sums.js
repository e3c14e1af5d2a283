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
export function addCorrelation(sums, [hOut, wOut], { data, width }, taps, stride, dilation) {
  const runs = taps.flatMap((line, u) =>
    runsOf(line).map(({ first, weights }) => ({ weights, offset: u * dilation[0] * width + first * dilation[1] })),
  );
  const add = stride[1] === 1 && dilation[1] === 1 ? addDenseRun : addRun;
  for (let i = 0; i < hOut; i++) {
    const start = i * stride[0] * width;
    for (const { weights, offset } of runs) add(sums, data, i * wOut, (i + 1) * wOut, weights, start + offset, stride[1], dilation[1]);
  }
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

/** The taps of a row that are not 0, in groups of neighbours. */
function runsOf(line) {
  const runs = [];
  line.forEach((tap, v) => {
    if (tap === 0) return;
    if (v && line[v - 1] !== 0) runs.at(-1).weights.push(tap);
    else runs.push({ first: v, weights: [tap] });
  });
  return runs.map(({ first, weights }) => ({ first, weights: Float64Array.from(weights) }));
}

/** Add the products of neighbouring taps to a row of sums, four sums at a time. */
function addRun(sums, data, first, end, weights, start, stride, dilation) {
  const count = weights.length;
  let o = first;
  let j = start;
  for (; o + 4 <= end; o += 4, j += 4 * stride) {
    let a = sums[o];
    let b = sums[o + 1];
    let c = sums[o + 2];
    let d = sums[o + 3];
    for (let v = 0, q = j; v < count; v++, q += dilation) {
      const weight = weights[v];
      a += weight * data[q];
      b += weight * data[q + stride];
      c += weight * data[q + 2 * stride];
      d += weight * data[q + 3 * stride];
    }
    sums[o] = a;
    sums[o + 1] = b;
    sums[o + 2] = c;
    sums[o + 3] = d;
  }
  for (; o < end; o++, j += stride) {
    for (let v = 0, q = j; v < count; v++, q += dilation) sums[o] += weights[v] * data[q];
  }
}

/** `addRun` for neighbouring windows: four sums share all but one of the cells that they read. */
function addDenseRun(sums, data, first, end, weights, start) {
  const count = weights.length;
  let o = first;
  let j = start;
  for (; o + 4 <= end; o += 4, j += 4) {
    let a = sums[o];
    let b = sums[o + 1];
    let c = sums[o + 2];
    let d = sums[o + 3];
    let p = data[j];
    let q = data[j + 1];
    let r = data[j + 2];
    for (let v = 0; v < count; v++) {
      const weight = weights[v];
      const s = data[j + v + 3];
      a += weight * p;
      b += weight * q;
      c += weight * r;
      d += weight * s;
      p = q;
      q = r;
      r = s;
    }
    sums[o] = a;
    sums[o + 1] = b;
    sums[o + 2] = c;
    sums[o + 3] = d;
  }
  if (o < end) addRun(sums, data, o, end, weights, j, 1, 1);
}

const ROWS = {
  sum: (out, data, start, step) => {
    for (let o = 0, j = start; o < out.length; o++, j += step) out[o] += data[j];
  },
  max: (out, data, start, step) => {
    for (let o = 0, j = start; o < out.length; o++, j += step) out[o] = Math.max(out[o], data[j]);
  },
  min: (out, data, start, step) => {
    for (let o = 0, j = start; o < out.length; o++, j += step) out[o] = Math.min(out[o], data[j]);
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
