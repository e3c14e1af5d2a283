// Pools: what a window of cells is reduced to, which cells win, and where the gradient goes. Padded cells take no part.

import { AXES, Misfit, NO_PADS, checkBorder, fieldOf, outputSize, padsOf, patchOf, positionsOf, sizeFormulas, spanOf } from "./geometry.js";
import { enoughCells, hide, inverted, isMissing, missingStage, missingUnder, validStage, withValue } from "./missing.js";
import { number } from "./numbers.js";
import { NO_LEVEL, rankWindows } from "./ranks.js";
import { allFinite, padded, reduceWindows, reusing, subtract, toLevel } from "./sums.js";

const MOST_LISTED = 25;
const MOST_KEPT = 4000; // windows whose gradients are kept
const OUTSIDE = { mode: "constant", value: NaN, spare: null };

/**
 * A pool step. `taps` (rows of 0 and 1) is the shape of the window. An average divides by `divisor`, or by the number of its cells:
 * those "inside" the image, or with "pads" also padded ones, as `counted` says. With a padding mode, padded cells have values and take
 * part.
 */
export class Pool {
  #known = new Map(); // of `#covered`, for a size and what is around it
  #kept = { of: {}, gradients: new Map() }; // of the windows of one plane

  constructor(settings, modes) {
    Object.assign(this, settings);
    const { paddingMode: mode, paddingValue: value } = settings;
    this.border = mode ? { mode, value, spare: modes.padding[mode].spare } : null;
    this.taps = settings.taps ?? Array.from({ length: settings.size[0] }, () => new Array(settings.size[1]).fill(1));
  }

  get title() {
    return this.text ?? `${this.mode} pool`;
  }

  get window() {
    const { stride, padding, dilation, ceilMode } = this;
    return { kernelSize: [this.taps.length, this.taps[0].length], stride, padding, dilation, ceilMode, anchor: null, around: this.around };
  }

  get span() {
    return AXES.map((axis) => spanOf(this.window, axis));
  }

  shape([channels, height, width]) {
    const size = [height, width];
    const { kernelSize, padding } = this.window;
    if (this.text && padding !== "same" && AXES.some((axis) => 2 * padding[axis] > kernelSize[axis])) {
      throw new Misfit("the padding of a step is over half of the window; use at most half");
    }
    const output = outputSize(this.window, size);
    const pads = padsOf(this.window, size);
    if (this.border) checkBorder(this.border, pads, size);
    else if (this.#hasEmptyWindow(size, pads, output)) throw new Misfit("a window holds nothing but padding; use less padding or dilation");
    return [channels, ...output];
  }

  /** Whether some window has no tap over a cell of the image. */
  #hasEmptyWindow(size, pads, output) {
    const [rows, columns] = this.#covered(size, pads, output, NO_PADS).map(({ kinds }) => kinds);
    return rows.some((row) => columns.some((column) => !this.#tapsOver(row, column)));
  }

  /**
   * Which taps of each window are over the cells of the image and of `around` it, along each axis: {kinds, ids}, lists of 0 and 1 that
   * differ, and the number of that of each window.
   */
  #covered(size, pads, output, around) {
    const key = `${size} ${around}`;
    if (!this.#known.has(key)) this.#known.set(key, AXES.map((axis) => this.#coveredAlong(axis, size, pads, output, around)));
    return this.#known.get(key);
  }

  #coveredAlong(axis, size, pads, output, around) {
    const [before, after] = around[axis];
    const isInside = (cell) => Number(cell >= -before && cell < size[axis] + after);
    const texts = Array.from({ length: output[axis] }, (_, n) => positionsOf(this.window, pads, axis, n).map(isInside).join(""));
    const kinds = [...new Set(texts)];
    return { kinds: kinds.map((text) => [...text].map(Number)), ids: texts.map((text) => kinds.indexOf(text)) };
  }

  /** The number of taps over rows and columns that are 1. */
  #tapsOver(row, column) {
    return this.taps.reduce((sum, line, u) => sum + line.reduce((all, tap, v) => all + tap * row[u] * column[v], 0), 0);
  }

  apply(input) {
    const [, height, width] = this.shape([input.planes.length, input.height, input.width]);
    const rounds = input.whole && !input.floats;
    const averages = ["avg", "std"].includes(this.mode); // over a number of cells, and not one of them or a difference
    const sizes = [
      [input.height, input.width],
      [height, width],
    ];
    const counts = input.valid || averages ? this.#counts(...sizes) : null;
    const lost = input.valid?.map((cells) => this.#lost(cells, ...sizes)) ?? null;
    const valid = lost?.map((cells) => enoughCells(counts, cells, input.rule)) ?? null;
    const planes = input.planes.map((plane, c) => {
      const values = this.#values(plane, input.valid?.[c], counts, lost?.[c], ...sizes);
      const isSelection = !averages && (plane instanceof Uint8Array || plane instanceof Uint16Array); // or a difference of levels
      if (rounds && !isSelection) for (let i = 0; i < values.length; i++) values[i] = toLevel(values[i], input.largest);
      return hide(new plane.constructor(values), valid?.[c], rounds ? 0 : NaN);
    });
    const whole = input.whole && (rounds || !averages);
    return { ...input, planes, height, width, stretch: null, whole, valid };
  }

  /** The taps, and how the window moves over them. */
  get #moves() {
    return [this.taps, this.stride, this.dilation];
  }

  /** The number of missing cells under each window. */
  #lost(valid, size, output) {
    const cells = this.#padded(inverted(valid), size, output, this.border && { mode: this.border.mode, value: 0 }, 0);
    return reduceWindows("count", output, cells, ...this.#moves);
  }

  /**
   * A plane with its padding; without a border that is `value`. So are the cells beyond, into which a last window reaches with ceilMode:
   * they never take part.
   */
  #padded(plane, size, output, border, value, Type) {
    const pads = padsOf(this.window, size);
    const beyond = pads.map(([before, after], axis) => {
      const reach = (output[axis] - 1) * this.stride[axis] + spanOf(this.window, axis);
      return [0, Math.max(reach - before - size[axis] - after, 0)];
    });
    const inner = padded(plane, size, pads, border ?? { mode: "constant", value }, Type, reusing("inner cells", Type));
    if (!beyond[0][1] && !beyond[1][1]) return inner;
    return padded(inner.data, [inner.height, inner.width], beyond, { mode: "constant", value }, Type, reusing("cells", Type));
  }

  /** The values of a plane under all windows, of `all` cells each, of which `lost` ones are missing. */
  #values(plane, valid, all, lost, size, output) {
    const filled = (value) => (valid ? withValue(plane, valid, value) : plane);
    const cells = (value, Type) => this.#padded(filled(value), size, output, this.border, value, Type);
    const reduce = (kind, source, purpose = kind) => reduceWindows(kind, output, source, ...this.#moves, reusing(purpose));
    if (this.mode === "max") return reduce("max", cells(-Infinity));
    if (this.mode === "min") return reduce("min", cells(Infinity));
    if (this.mode === "range") {
      const high = reduce("max", cells(-Infinity));
      return subtract(high, reduce("min", cells(Infinity)));
    }
    if (this.mode === "median" || this.mode === "rank") {
      const ranks = [...this.#moves, plane.constructor, (count) => this.#index(count)];
      const isByte = plane.constructor === Uint8Array; // bytes are counted as they are
      const Cells = plane.BYTES_PER_ELEMENT < 8 ? Float32Array : Float64Array; // of exact values
      const values = rankWindows(output, isByte ? cells(NO_LEVEL, Int32Array) : cells(NaN, Cells), ...ranks);
      return hide(values, this.#withoutNaN(plane, valid, size, output), NaN);
    }
    const source = cells(0);
    const isWhole = !(plane instanceof Float32Array || plane instanceof Float64Array) && Number.isInteger(this.border?.value ?? 0);
    const kind = isWhole ? "count" : "sum";
    const sums = reduce(kind, source);
    const counts = lost ? all.slice() : all;
    if (lost) for (let i = 0; i < counts.length; i++) counts[i] -= lost[i];
    if (this.mode === "avg") {
      for (let i = 0; i < sums.length; i++) sums[i] /= this.divisor ? (this.divisor * counts[i]) / all[i] : counts[i];
      return sums;
    }
    if (this.mode !== "std") throw new Error(`the page has no pooling mode ${this.mode}`);
    for (let i = 0; i < source.data.length; i++) source.data[i] *= source.data[i];
    const squares = reduce(kind, { ...source, isFinite: undefined }, "squares"); // those of large numbers are infinite
    for (let i = 0; i < sums.length; i++) squares[i] = Math.sqrt(Math.max(squares[i] - (sums[i] * sums[i]) / counts[i], 0) / counts[i]);
    return squares;
  }

  /** Which windows hold no NaN, but for missing cells; null where none does. */
  #withoutNaN(plane, valid, size, output) {
    if (allFinite(plane)) return null;
    const isNaN = Uint8Array.from(plane, (value, i) => (value !== value && (!valid || valid[i]) ? 1 : 0));
    return isNaN.includes(1) ? inverted(Uint8Array.from(this.#lost(inverted(isNaN), size, output), Math.sign)) : null;
  }

  /** How many cells count in each average: those inside the image, or padded ones too. */
  #counts(size, output) {
    const countsPads = this.border || (this.mode === "avg" && this.counted === "pads");
    const pads = padsOf(this.window, size);
    const [rows, columns] = this.#covered(size, pads, output, countsPads ? pads : NO_PADS);
    const counts = rows.kinds.map((row) => columns.kinds.map((column) => this.#tapsOver(row, column)));
    const values = new Float64Array(output[0] * output[1]);
    for (let i = 0, o = 0; i < output[0]; i++) {
      const line = counts[rows.ids[i]];
      for (let j = 0; j < output[1]; j++, o++) values[o] = line[columns.ids[j]];
    }
    return values;
  }

  /** The place of the result among cells in ascending order. */
  #index(count) {
    if (this.mode === "max") return count - 1;
    if (this.mode === "min") return 0;
    return this.mode === "rank" ? Math.min(Math.trunc((count * this.percent) / 100), count - 1) : Math.floor((count - 1) / 2);
  }

  /** The cells under the window of an output cell, and the gradient that each gets of 1: {cells, values, gradient}. */
  reduced(input, c, at) {
    const size = [input.height, input.width];
    const pads = padsOf(this.window, size);
    const [rows, columns] = AXES.map((axis) => positionsOf(this.window, pads, axis, at[axis]));
    const cells = patchOf(input.planes[c], size, rows, columns, this.border ?? OUTSIDE);
    const missing = missingUnder(input, c, rows, columns, this.border ?? OUTSIDE);
    const ends = AXES.map((axis) => size[axis] + pads[axis][1]);
    const all = [];
    cells.padded.forEach((line, u) =>
      line.forEach((outside, v) => {
        const takesPart = this.border ? rows[u] < ends[0] && columns[v] < ends[1] : !outside;
        if (!takesPart) cells.values[u][v] = NaN;
        if (takesPart && this.taps[u][v]) all.push({ u, v, value: cells.values[u][v] });
      }),
    );
    const inside = missing ? all.filter(({ u, v }) => !missing[u][v]) : all;
    const count = this.#count(cells, size, pads, all.length);
    const valid = count - (all.length - inside.length);
    const divisor = this.divisor ? (this.divisor * valid) / count : valid;
    const counted = missing ? [validStage(inside.length, all.length)] : [];
    const result = inside.length ? this.#result(inside, divisor) : { stages: [], value: NaN, gradient: [] };
    return { cells: { ...cells, missing }, inside, counted, ...result };
  }

  /** How many cells count in an average. */
  #count({ rows, columns }, size, pads, count) {
    if (this.mode !== "avg" || this.counted !== "pads") return count;
    return rows.filter((row) => row < size[0] + pads[0][1]).length * columns.filter((column) => column < size[1] + pads[1][1]).length;
  }

  #result(inside, divisor) {
    const nan = inside.find(({ value }) => Number.isNaN(value));
    if (nan && this.mode !== "avg") {
      return { stages: [{ name: this.mode, text: "a cell is NaN", value: NaN }], value: NaN, gradient: [[nan, 1]] };
    }
    const sorted = inside.map(({ value }) => value).sort((a, b) => a - b);
    const cell = (value) => inside.find((each) => each.value === value);
    const sum = sorted.reduce((total, value) => total + value, 0);
    const list = (join) => (inside.length > MOST_LISTED ? `${inside.length} cells` : inside.map(({ value }) => number(value)).join(join));
    if (this.mode === "avg") {
      const stages = [
        { name: "sum", text: list(" + "), value: sum },
        { name: "average", text: `${number(sum)} / ${number(divisor)}`, value: sum / divisor },
      ];
      return { stages, value: sum / divisor, gradient: inside.map((each) => [each, 1 / divisor]) };
    }
    if (this.mode === "range") {
      const [low, high] = [sorted[0], sorted.at(-1)];
      const stages = [{ name: "range", text: `${number(high)} − ${number(low)}`, value: high - low }];
      const ends = [cell(high), cell(low)];
      return { stages, value: high - low, gradient: ends.map((each, n) => [each, n ? -1 : 1]) };
    }
    if (this.mode === "std") {
      const mean = sum / inside.length;
      const value = Math.sqrt(inside.reduce((total, each) => total + (each.value - mean) ** 2, 0) / inside.length);
      const stages = [
        { name: "mean", text: `${number(sum)} / ${inside.length}`, value: mean },
        { name: "std", text: "√(mean of (cell − mean)²)", value },
      ];
      return { stages, value, gradient: value ? inside.map((each) => [each, (each.value - mean) / (inside.length * value)]) : [] };
    }
    const value = sorted[this.#index(sorted.length)];
    const noun = { max: "largest", min: "smallest", median: "lower median" }[this.mode] ?? `rank ${this.percent}%`;
    return {
      stages: [{ name: this.mode, text: `the ${noun} of ${list(", ")}`, value }],
      value,
      gradient: inside.length ? [[cell(value), 1]] : [],
    };
  }

  explain(input, output, [c, row, column]) {
    const { cells, counted, stages, value, gradient } = this.reduced(input, c, [row, column]);
    const missing = isMissing(output, [c, row, column]);
    const list = [...counted, ...(missing ? [missingStage(input)] : stages)];
    const rounds = !missing && input.whole && !input.floats && !Number.isInteger(value);
    if (rounds) list.push({ name: "rounded", text: "half to even", value: toLevel(value, input.largest) });
    const winners = cells.values.map((line) => line.map(() => 0));
    for (const [{ u, v }, share] of missing ? [] : gradient) winners[u][v] += share;
    const part = { title: input.names[c], kernel: "", channel: c, cells, taps: null, members: this.taps, winners };
    return { parts: [part], stages: list, value: list.at(-1).value };
  }

  /** The gradient of an input cell when that of every output cell is 1. */
  gradientAt(input, c, [row, column]) {
    const size = [input.height, input.width];
    const pads = padsOf(this.window, size);
    const output = outputSize(this.window, size);
    const windows = AXES.map((axis) => {
      const cell = [row, column][axis];
      const low = Math.floor((cell + pads[axis][0] - spanOf(this.window, axis) + 1) / this.stride[axis]);
      const high = Math.floor((cell + pads[axis][0]) / this.stride[axis]);
      return Array.from({ length: Math.max(high - low + 1, 0) }, (_, n) => low + n).filter((n) => n >= 0 && n < output[axis]);
    });
    let sum = 0;
    for (const i of windows[0]) {
      for (const j of windows[1]) {
        for (const [y, x, share] of this.#gradientOf(input, c, [i, j])) if (y === row && x === column) sum += share;
      }
    }
    return sum;
  }

  /** The gradients [row, column, share] that a window hands on. They are kept, since the windows over neighbouring cells are the same. */
  #gradientOf(input, c, at) {
    const { of, gradients } = this.#kept;
    if (of.input !== input || of.c !== c || gradients.size > MOST_KEPT) {
      Object.assign(of, { input, c });
      gradients.clear();
    }
    const key = at.join();
    if (!gradients.has(key)) {
      const { cells, gradient } = this.reduced(input, c, at);
      gradients.set(key, gradient.map(([{ u, v }, share]) => [cells.rows[u], cells.columns[v], share]));
    }
    return gradients.get(key);
  }

  field(size, axis, cells) {
    return fieldOf(this.window, padsOf(this.window, size), axis, cells, size[axis]);
  }

  facts([channels, height, width]) {
    this.shape([channels, height, width]);
    const size = [height, width];
    return {
      sizes: sizeFormulas(this.window, size),
      pads: padsOf(this.window, size),
      multiplyAdds: 0,
      multiplyAddsText: "a pool multiplies nothing",
      parameters: 0,
    };
  }
}
