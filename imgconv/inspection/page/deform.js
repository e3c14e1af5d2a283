// Deformable convolution: each tap reads the input at its place plus an offset, between four cells, and a mask may scale what it reads.

import { AXES, Misfit, fieldOf, outputSize, padsOf, positionsOf, sizeFormulas, spanOf } from "./geometry.js";
import { Conv, mapsOf } from "./layers.js";
import { counted, number, productsText } from "./numbers.js";
import { addCorrelation, allFinite, float32, padded, reusing, sumOf } from "./sums.js";

/** Named offsets [down, across] for the tap (u, v) of a kernel of a size, of some strength in cells. */
export const OFFSETS = {
  none: () => [0, 0],
  spread: ([u, v], [h, w], strength) => [strength * (u - (h - 1) / 2), strength * (v - (w - 1) / 2)],
  turn: ([u, v], [h, w], strength) => [strength * (v - (w - 1) / 2), -strength * (u - (h - 1) / 2)],
  shear: ([u], [h], strength) => [0, strength * (u - (h - 1) / 2)],
  scatter: ([u, v], [, w], strength) => [strength * scattered(2 * (u * w + v)), strength * scattered(2 * (u * w + v) + 1)],
};

/** A number from -1 to 1 that depends on `n` alone. */
function scattered(n) {
  return 2 * (((n + 1) * 0.6180339887498949) % 1) - 1;
}

/**
 * A convolution whose taps are moved. `weight` is (O, I, kh, kw), with `groups` and `bias`; with `eachChannel` every kernel goes over
 * each channel on its own. `offset` and `mask` (null without one) are numbers for each tap: a list for all cells, lists of rows for each
 * cell, or the weights of a convolution of the input; offsets are pairs (down, across).
 */
export class Deformed {
  constructor(settings) {
    Object.assign(this, settings);
    this.seesAll = true; // an offset may lead anywhere
    this.mayRefuseValues = true; // offsets for each cell of another size
    this.title = settings.text ?? `deformable ${settings.name}`;
  }

  get window() {
    const { stride, padding, dilation, weight } = this;
    const [[plane]] = weight;
    return { kernelSize: [plane.length, plane[0].length], stride, padding, dilation, ceilMode: false, anchor: null };
  }

  get span() {
    return AXES.map((axis) => spanOf(this.window, axis));
  }

  get #taps() {
    const [height, width] = this.window.kernelSize;
    return height * width;
  }

  shape([channels, height, width]) {
    const needed = this.groups * this.weight[0].length;
    if (!this.eachChannel && channels !== needed) throw new Misfit(`${this.title} needs ${needed} channels, it gets ${channels}`);
    return [this.eachChannel ? this.weight.length * channels : this.weight.length, ...outputSize(this.window, [height, width])];
  }

  /** The kernel of an output map, and the channels that it sums. */
  #sources(map, channels) {
    if (this.eachChannel) return { kernel: Math.floor(map / channels), first: map % channels, count: 1 };
    const count = this.weight[0].length;
    return { kernel: map, first: Math.floor((map * this.groups) / this.weight.length) * count, count };
  }

  /** The function from (number of an offset or a mask, output cell) to its value. */
  #numbers({ values, bias }, input, [height, width], change = (value) => value) {
    const depth = (list) => (Array.isArray(list) ? 1 + depth(list[0]) : 0);
    if (depth(values) === 1) return (n) => values[n];
    if (depth(values) === 3) {
      const flat = values.map((rows) => rows.flat());
      const fits = values[0].length === height && values[0][0].length === width;
      if (!fits) throw new Misfit(`the offsets are not those of ${height}×${width} cells`);
      return (n, cell) => flat[n][cell];
    }
    const { stride, padding, dilation, title: text } = this;
    const layer = new Conv({ weight: values, bias, stride, padding, dilation, groups: 1, text }, { padding: { zeros: { spare: null } } });
    const { planes } = layer.apply({ ...input, valid: null });
    return (n, cell) => change(planes[n][cell]);
  }

  /** Offsets and masks on an input, as functions of the number of the tap among those of all offset groups, and of the output cell. */
  #moves(input, size) {
    const of = (name, change) => this.#numbers({ values: this[name], bias: this[`${name}Bias`] }, input, size, change);
    const offset = of("offset");
    const mask = this.mask ? of("mask", (value) => 1 / (1 + Math.exp(-value))) : () => 1;
    return { down: (tap, cell) => offset(2 * tap, cell), across: (tap, cell) => offset(2 * tap + 1, cell), mask };
  }

  /** The number of a channel's first tap among those of all offset groups. */
  #firstTap(c, channels) {
    const groups = this.offset.length / (2 * this.#taps);
    return this.eachChannel ? 0 : Math.floor((c * groups) / channels) * this.#taps;
  }

  apply(input) {
    const size = [input.height, input.width];
    const [count, ...output] = this.shape([input.planes.length, ...size]);
    const moves = this.#moves(input, output);
    this.moves = moves;
    this.reach = [0, 0];
    const sums = Array.from({ length: count }, (_, map) => reusing(`sums ${map}`)(output[0] * output[1]).fill(0));
    const users = input.planes.map((_, c) => sums.flatMap((_, map) => this.#uses(map, c, input.planes.length)));
    const place = { size, output, pads: padsOf(this.window, size) };
    const isFixed = !Array.isArray(this.offset[0]) && !Array.isArray(this.mask?.[0]);
    input.planes.forEach((plane, c) => {
      if (isFixed && allFinite(plane)) {
        this.#addMoved(sums, users[c], plane, this.#firstTap(c, input.planes.length), place);
        return;
      }
      for (let tap = 0; tap < this.#taps; tap++) {
        const samples = this.#samples(plane, tap, this.#firstTap(c, input.planes.length) + tap, place);
        for (const { map, taps } of users[c]) for (let i = 0; i < samples.length; i++) sums[map][i] += taps[tap] * samples[i];
      }
    });
    const planes = sums.map((values, map) => {
      if (this.divisor !== 1) for (let i = 0; i < values.length; i++) values[i] /= this.divisor;
      return float32(values, this.bias?.[this.#sources(map, input.planes.length).kernel] ?? 0);
    });
    return mapsOf(input, planes, output, this.eachChannel && this.weight.length === 1 ? input.names : null);
  }

  /** The taps of a map over a channel, none where it does not sum that channel. */
  #uses(map, c, channels) {
    const { kernel, first, count } = this.#sources(map, channels);
    return c >= first && c < first + count ? [{ map, taps: this.weight[kernel][c - first].flat() }] : [];
  }

  /** With the same offsets for every cell, the sum is that of a larger kernel, whose taps are the shares of the four cells around. */
  #addMoved(sums, users, plane, moved, { size, output, pads }) {
    const [, columns] = this.window.kernelSize;
    const moves = Array.from({ length: this.#taps }, (_, tap) => [this.moves.down(moved + tap, 0), this.moves.across(moved + tap, 0)]);
    this.reach = AXES.map((axis) => moves.reduce((most, move) => Math.max(most, Math.abs(move[axis])), this.reach[axis]));
    const around = this.reach.map((cells) => Math.ceil(cells) + 1);
    const widened = AXES.map((axis) => pads[axis].map((cells) => cells + around[axis]));
    const wide = padded(plane, size, widened, { mode: "zeros", value: 0 }, Float64Array, reusing("cells"));
    const [height, width] = AXES.map((axis) => spanOf(this.window, axis) + 2 * around[axis]);
    for (const { map, taps } of users) {
      const rows = Array.from({ length: height }, () => new Array(width).fill(0));
      taps.forEach((tap, n) => {
        const y = Math.floor(n / columns) * this.dilation[0] + moves[n][0] + around[0];
        const x = (n % columns) * this.dilation[1] + moves[n][1] + around[1];
        const moderated = tap * this.moves.mask(moved + n, 0);
        for (const [i, down] of shares(y)) for (const [j, across] of shares(x)) rows[i][j] += moderated * down * across;
      });
      addCorrelation(sums[map], output, wide, rows, this.stride, [1, 1]);
    }
  }

  /** What one tap reads for every output cell. */
  #samples(plane, tap, moved, { size, output: [height, width], pads }) {
    const [, columns] = this.window.kernelSize;
    const [u, v] = [Math.floor(tap / columns), tap % columns];
    const [top, left] = [u * this.dilation[0] - pads[0][0], v * this.dilation[1] - pads[1][0]];
    const { moves, stride } = this;
    const samples = new Float64Array(height * width);
    let [far, wide] = this.reach;
    for (let cell = 0, i = 0; i < height; i++) {
      for (let j = 0; j < width; j++, cell++) {
        const down = moves.down(moved, cell);
        const across = moves.across(moved, cell);
        samples[cell] = between(plane, size, i * stride[0] + top + down, j * stride[1] + left + across) * moves.mask(moved, cell);
        if (Math.abs(down) > far) far = Math.abs(down);
        if (Math.abs(across) > wide) wide = Math.abs(across);
      }
    }
    this.reach = [far, wide];
    return samples;
  }

  /** Where each tap of an output cell reads a channel, as [row, column, down, across, mask]. */
  points(input, [i, j], c = 0) {
    const size = [input.height, input.width];
    const pads = padsOf(this.window, size);
    const [rows, columns] = AXES.map((axis) => positionsOf(this.window, pads, axis, [i, j][axis]));
    const cell = i * outputSize(this.window, size)[1] + j;
    const first = this.#firstTap(c, input.planes.length);
    return rows.map((row, u) =>
      columns.map((column, v) => {
        const tap = first + u * columns.length + v;
        return [row, column, this.moves.down(tap, cell), this.moves.across(tap, cell), this.moves.mask(tap, cell)];
      }),
    );
  }

  explain(input, output, [map, row, column]) {
    const size = [input.height, input.width];
    const { kernel, first, count } = this.#sources(map, input.planes.length);
    const parts = Array.from({ length: count }, (_, n) => this.#part(input, first + n, [row, column], this.weight[kernel][n], size));
    const sum = parts.reduce((total, { cells, taps }) => total + sumOf(cells.values, taps), 0);
    const stages = [{ name: "sum", text: productsText(parts), value: sum }];
    const step = (name, text, value) => stages.push({ name, text, value });
    const before = () => number(stages.at(-1).value);
    if (this.divisor !== 1) step("divisor", `${before()} / ${number(this.divisor)}`, stages.at(-1).value / this.divisor);
    const bias = this.bias?.[kernel];
    if (bias) step("bias", `${before()} + ${number(bias)}`, stages.at(-1).value + bias);
    return { parts, stages, value: stages.at(-1).value };
  }

  #part(input, c, at, taps, size) {
    const points = this.points(input, at, c);
    const pads = padsOf(this.window, size);
    const [rows, columns] = AXES.map((axis) => positionsOf(this.window, pads, axis, at[axis]));
    const read = ([y, x, down, across, mask]) => between(input.planes[c], size, y + down, x + across) * mask;
    const values = points.map((line) => line.map(read));
    const padded = points.map((line) => line.map(([y, x]) => y < 0 || x < 0 || y >= size[0] || x >= size[1]));
    const kernel = `between cells${this.mask ? ", times the mask" : ""}`;
    return { title: input.names[c], kernel, channel: c, cells: { rows, columns, values, padded }, taps };
  }

  field(size, axis, cells) {
    const reach = Math.ceil(Math.min(this.reach[axis] || 0, size[axis]));
    const [first, last] = fieldOf(this.window, padsOf(this.window, size), axis, cells, size[axis]);
    return [Math.max(first - reach, 0), Math.min(last + reach, size[axis] - 1)];
  }

  /** How many parameters there are of each kind. */
  get #parameterKinds() {
    const numbers = (...lists) => lists.reduce((sum, list) => sum + (list?.flat(3).length ?? 0), 0);
    return {
      weight: numbers(this.weight),
      "bias value": numbers(this.bias),
      "offset number": numbers(this.offset, this.offsetBias),
      "mask value": numbers(this.mask, this.maskBias),
    };
  }

  facts([channels, height, width]) {
    const [count, h, w] = this.shape([channels, height, width]);
    const taps = this.#taps;
    const size = [height, width];
    const sums = count * this.weight[0].length;
    const computed = [this.offset, this.mask].reduce(
      (sum, list) => sum + (Array.isArray(list?.[0]?.[0]?.[0]) ? list.flat(3).length : 0),
      0,
    );
    return {
      sizes: sizeFormulas(this.window, size),
      pads: padsOf(this.window, size),
      multiplyAdds: h * w * (taps * (sums + 8 * channels) + computed),
      multiplyAddsText:
        `${h} · ${w} cells · (${taps} taps · (${counted(sums, "sum")} + 8 · ${channels} for values between cells)` +
        `${computed ? ` + ${computed} for offsets` : ""})`,
      parameters: Object.values(this.#parameterKinds).reduce((sum, count) => sum + count, 0),
      parameterKinds: this.#parameterKinds,
    };
  }
}

/** The two whole numbers around a place, with their shares of it. */
function shares(place) {
  const first = Math.floor(place);
  return [
    [first, 1 - (place - first)],
    [first + 1, place - first],
  ];
}

/** The value of a plane between four cells; cells outside are 0. */
export function between(plane, [height, width], y, x) {
  const i = Math.floor(y);
  const j = Math.floor(x);
  const above = i >= 0 && i < height;
  const below = i >= -1 && i + 1 < height;
  const before = j >= 0 && j < width;
  const after = j >= -1 && j + 1 < width;
  const at = i * width + j;
  const a = above && before ? plane[at] : 0;
  const b = above && after ? plane[at + 1] : 0;
  const c = below && before ? plane[at + width] : 0;
  const d = below && after ? plane[at + width + 1] : 0;
  return (1 - (y - i)) * ((1 - (x - j)) * a + (x - j) * b) + (y - i) * ((1 - (x - j)) * c + (x - j) * d);
}
