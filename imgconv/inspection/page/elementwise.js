// Steps of a network that compute with the values at one place, or with the cells of windows that adapt to the size of a map.

import { patchOf } from "./geometry.js";
import { mapsOf } from "./layers.js";
import { enoughCells, hide, isMissing, missingStage, missingUnder, validStage } from "./missing.js";
import { number } from "./numbers.js";

const FUNCTIONS = {
  scale: { of: (x, { factor }) => x * Math.fround(factor), text: (x, { factor }) => `${x} · ${number(factor)}` },
  relu: { of: (x) => (x < 0 ? 0 : x), text: (x) => `max(${x}, 0)` },
  leaky_relu: {
    of: (x, { slope }) => (x > 0 ? x : Math.fround(slope) * x),
    text: (x, { slope }) => `${x}, times ${number(slope)} where it is negative`,
  },
  sigmoid: { of: (x) => 1 / (1 + Math.exp(-x)), text: (x) => `1 / (1 + exp(−(${x})))` },
  tanh: { of: Math.tanh, text: (x) => `tanh(${x})` },
  abs: { of: Math.abs, text: (x) => `|${x}|` },
  normalize: {
    of: (x, { mean, std }, c) => (x - pick(mean, c)) / pick(std, c),
    text: (x, { mean, std }, c) => `(${x} − ${number(pick(mean, c))}) / ${number(pick(std, c))}`,
  },
};

const MULTIPLYING = ["scale", "normalize", "grey", "combine"];

const pick = (list, c) => Math.fround(list[list.length > 1 ? c : 0]);

/** A function of each value. */
export class Elementwise {
  constructor(settings) {
    Object.assign(this, settings);
  }

  get title() {
    return this.text;
  }

  span = [1, 1];
  window = null;

  shape(dims) {
    return dims;
  }

  apply(input) {
    const { of } = FUNCTIONS[this.op];
    const planes = input.planes.map((plane, c) => new Float32Array(plane).map((value) => of(value, this, c)));
    return { ...mapsOf(input, planes, [input.height, input.width], input.names), vector: input.vector };
  }

  explain(input, output, [c, row, column]) {
    const { of, text } = FUNCTIONS[this.op];
    const value = input.planes[c][row * input.width + column];
    return pointwise(this, [[input, c]], row, column, text(number(value), this, c), of(value, this, c));
  }

  field(size, axis, cells) {
    return cells;
  }

  facts(dims) {
    const multiplies = MULTIPLYING.includes(this.op) && !(this.op === "grey" && dims[0] === 1);
    const multiplyAdds = multiplies ? dims.reduce((count, size) => count * size, 1) : 0;
    return { sizes: [], multiplyAdds, multiplyAddsText: "one operation for each value", parameters: 0 };
  }
}

/** An explanation from the cells of some channels at one position. */
export function pointwise(step, sources, row, column, text, value) {
  const parts = sources.map(([input, c]) => ({
    title: input.names[c],
    kernel: "",
    channel: c,
    cells: { rows: [row], columns: [column], values: [[input.planes[c][row * input.width + column]]], padded: [[false]] },
    taps: null,
    members: [[1]],
  }));
  return { parts, stages: [{ name: step.op, text, value }], value };
}

/** The explanation of alpha that a step leaves as it is in `maps`. */
export function unchangedAlpha(maps, row, column) {
  const c = maps.planes.length - 1;
  return pointwise({ op: "alpha" }, [[maps, c]], row, column, "unchanged", maps.planes[c][row * maps.width + column]);
}

const ACROSS = {
  hypot: (values) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0)),
  max: (values) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
  sum: (values) => values.reduce((sum, x) => sum + Math.abs(x), 0),
  grey: ([red, green, blue]) => (red * 19595 + green * 38470 + blue * 7471) / 65536,
};

/** One map of all maps: the luma of colours, or `combine`. */
export class Across extends Elementwise {
  shape([, height, width]) {
    return [1, height, width];
  }

  get #of() {
    return ACROSS[this.op === "grey" ? "grey" : this.mode];
  }

  apply(input) {
    const { planes } = input;
    if (planes.length === 1 && this.op === "grey") return input;
    const values = new Float32Array(planes[0].length);
    const cells = new Array(planes.length);
    for (let i = 0; i < values.length; i++) {
      for (let c = 0; c < planes.length; c++) cells[c] = planes[c][i];
      values[i] = this.#of(cells);
    }
    return mapsOf(input, [values], [input.height, input.width], [this.op === "grey" ? "grey" : "combined"]);
  }

  explain(input, output, [, row, column]) {
    const all = input.planes.map((_, c) => [input, c]);
    const values = input.planes.map((plane) => plane[row * input.width + column]);
    const text =
      this.op === "grey" && values.length === 3
        ? "0.299·red + 0.587·green + 0.114·blue"
        : `${this.mode ?? "the value"} of ${values.map(number).join(", ")}`;
    return pointwise(this, all.slice(0, 8), row, column, text, values.length === 1 && this.op === "grey" ? values[0] : this.#of(values));
  }
}

/** Windows that make an output of one size: an adaptive pool. */
export class AdaptivePool extends Elementwise {
  shape([channels, height, width]) {
    return [channels, this.size[0] ?? height, this.size[1] ?? width];
  }

  /** The widest window on an input of a size, and how far apart windows are on average. */
  windowsIn(size) {
    const counts = size.map((cells, axis) => this.size[axis] ?? cells);
    const widest = (axis) => Math.max(...Array.from({ length: counts[axis] }, (_, n) => this.#cells(n, axis, size[axis]).length));
    return { span: [0, 1].map(widest), stride: size.map((cells, axis) => cells / counts[axis]) };
  }

  #cells(index, axis, size) {
    const out = this.size[axis] ?? size;
    const first = Math.floor((index * size) / out);
    const end = Math.ceil(((index + 1) * size) / out);
    return Array.from({ length: end - first }, (_, n) => first + n);
  }

  /** The average or the largest of the cells that are not missing. */
  #value(plane, width, rows, columns, valid) {
    let [sum, most, count] = [0, -Infinity, 0];
    for (const row of rows) {
      for (const column of columns) {
        const cell = row * width + column;
        if (valid && !valid[cell]) continue;
        sum += plane[cell];
        most = Math.max(most, plane[cell]);
        count++;
      }
    }
    return this.mode === "avg" ? sum / count : most;
  }

  #known(windows, { valid, width, rule }, c) {
    const missingIn = (row, columns) => columns.filter((column) => !valid[c][row * width + column]).length;
    const lost = windows.map(([rows, columns]) => rows.reduce((sum, row) => sum + missingIn(row, columns), 0));
    return enoughCells(
      windows.map(([rows, columns]) => rows.length * columns.length),
      lost,
      rule,
    );
  }

  apply(input) {
    const [, height, width] = this.shape([input.planes.length, input.height, input.width]);
    const rows = Array.from({ length: height }, (_, i) => this.#cells(i, 0, input.height));
    const columns = Array.from({ length: width }, (_, j) => this.#cells(j, 1, input.width));
    const windows = rows.flatMap((down) => columns.map((across) => [down, across]));
    const planes = input.planes.map((plane, c) => {
      const values = Float32Array.from(windows, (window) => this.#value(plane, input.width, ...window, input.valid?.[c]));
      return input.valid ? hide(values, this.#known(windows, input, c), NaN) : values;
    });
    return mapsOf(input, planes, [height, width], input.names);
  }

  explain(input, output, [c, row, column]) {
    const rows = this.#cells(row, 0, input.height);
    const columns = this.#cells(column, 1, input.width);
    const cells = patchOf(input.planes[c], [input.height, input.width], rows, columns, { mode: "zeros", value: 0 });
    const value = this.#value(input.planes[c], input.width, rows, columns, input.valid?.[c]);
    const missing = missingUnder(input, c, rows, columns, { mode: "zeros" });
    const members = rows.map(() => columns.map(() => 1));
    const counted = missing ? [validStage(missing.flat().filter((cell) => !cell).length, rows.length * columns.length)] : [];
    const text = `the ${this.mode === "avg" ? "average" : "largest"} of ${rows.length}×${columns.length} cells`;
    return {
      parts: [{ title: input.names[c], kernel: "", channel: c, cells: { ...cells, missing }, taps: null, members }],
      stages: [...counted, isMissing(output, [c, row, column]) ? missingStage(input) : { name: this.mode, text, value }],
      value,
    };
  }

  field(size, axis, [first, last]) {
    return [this.#cells(first, axis, size[axis])[0], this.#cells(last, axis, size[axis]).at(-1)];
  }
}
