// Steps of a network on vectors, which are maps of one row, and on the rows of maps: flatten, linear layers and softmax.

import { Elementwise } from "./elementwise.js";
import { Misfit } from "./geometry.js";
import { mapsOf } from "./layers.js";
import { number, productsText } from "./numbers.js";
import { sumOf } from "./sums.js";

const MOST_PRODUCTS = 64; // of a linear layer that are shown one by one

export class Vector extends Elementwise {
  /** Whether an output cell depends on all cells of the input. */
  get seesAll() {
    return this.op !== "softmax";
  }

  shape(dims) {
    if (this.op === "linear") {
      const needed = this.weight[0].length;
      if (needed !== dims.at(-1)) throw new Misfit(`${this.text} needs ${needed} numbers along the last axis, it gets ${dims.at(-1)}`);
      return [...dims.slice(0, -1), this.weight.length];
    }
    return this.op === "flatten" ? [dims.reduce((product, size) => product * size, 1)] : dims;
  }

  apply(input) {
    return { flatten: () => this.#flat(input), linear: () => this.#products(input), softmax: () => this.#shares(input) }[this.op]();
  }

  #flat(input) {
    const plane = Float32Array.from(input.planes.flatMap((each) => [...each]));
    return { ...mapsOf(input, [plane], [1, plane.length], ["vector"]), vector: true };
  }

  #products(input) {
    const { height, width, vector } = input;
    const outputs = this.weight.length;
    const planes = input.planes.map((plane) => {
      const out = new Float32Array(height * outputs);
      for (let i = 0; i < height; i++) {
        this.weight.forEach((taps, n) => {
          let sum = this.bias?.[n] ?? 0;
          for (let j = 0; j < width; j++) sum += taps[j] * plane[i * width + j];
          out[i * outputs + n] = sum;
        });
      }
      return out;
    });
    return { ...mapsOf(input, planes, [height, outputs], input.names), vector };
  }

  /** The axis of softmax: 0 channels, 1 rows, 2 columns. */
  #axis({ vector }) {
    if (vector) return 2;
    return this.dim > 0 ? this.dim - 1 : this.dim + 3;
  }

  /** The values of the maps along the axis of softmax through a cell, and the place of the cell among them. */
  #line(input, [c, row, column]) {
    const { planes, height, width } = input;
    const axis = this.#axis(input);
    if (axis === 0) return [planes.map((plane) => plane[row * width + column]), c];
    if (axis === 1) return [Array.from({ length: height }, (_, i) => planes[c][i * width + column]), row];
    return [Array.from({ length: width }, (_, j) => planes[c][row * width + j]), column];
  }

  #shares(input) {
    const { planes, height, width } = input;
    const axis = this.#axis(input);
    this.axis = axis;
    const shares = planes.map((plane) => new Float32Array(plane.length));
    const ends = [planes.length, height, width];
    ends[axis] = 1;
    for (let c = 0; c < ends[0]; c++) {
      for (let i = 0; i < ends[1]; i++) {
        for (let j = 0; j < ends[2]; j++) {
          softmax(this.#line(input, [c, i, j])[0]).forEach((share, n) => {
            const at = [c, i, j];
            at[axis] = n;
            shares[at[0]][at[1] * width + at[2]] = share;
          });
        }
      }
    }
    return { ...mapsOf(input, shares, [height, width], input.names), vector: input.vector };
  }

  explain(input, output, at) {
    const value = output.planes[at[0]][at[1] * output.width + at[2]];
    if (this.op === "linear") return this.#explainProducts(input, at, value);
    if (this.op === "softmax") return this.#explainShare(input, at, value);
    const count = input.planes.length * input.planes[0].length;
    return { parts: [], stages: [{ name: this.op, text: `number ${at[2]} of ${count}`, value }], value };
  }

  #explainProducts({ planes, names, width }, [c, row, column], value) {
    const bias = this.bias?.[column] ?? 0;
    const values = [[...planes[c].subarray(row * width, (row + 1) * width)]];
    const taps = [this.weight[column]];
    const columns = values[0].map((_, j) => j);
    const cells = { rows: [row], columns, values, padded: [columns.map(() => false)] };
    const part = { title: names[c], kernel: "", channel: c, cells, taps };
    const sum = sumOf(values, taps);
    const stages = [{ name: "sum", text: productsText([part]), value: sum }];
    if (bias) stages.push({ name: "bias", text: `${number(sum)} + ${number(bias)}`, value: sum + bias });
    return { parts: width > MOST_PRODUCTS ? [] : [part], stages, value };
  }

  #explainShare(input, at, value) {
    const [values, place] = this.#line(input, at);
    const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const power = Math.exp(values[place] - most);
    const sum = values.reduce((total, each) => total + Math.exp(each - most), 0);
    const stages = [
      { name: "largest", text: `of ${values.length} values`, value: most },
      { name: "exp", text: `exp(${number(values[place])} − ${number(most)})`, value: power },
      { name: "sum", text: `exp(value − ${number(most)}) of all ${values.length} values`, value: sum },
      { name: this.op, text: `${number(power)} / ${number(sum)}`, value },
    ];
    return { parts: [], stages, value };
  }

  field(size, axis, cells) {
    const isAlong = this.op === "softmax" ? axis === this.axis - 1 : axis === 1;
    return this.op === "flatten" || isAlong ? [0, size[axis] - 1] : cells;
  }

  facts(dims) {
    const isLinear = this.op === "linear";
    const rows = dims.slice(0, -1).reduce((product, size) => product * size, 1);
    return {
      sizes: [],
      multiplyAdds: isLinear ? rows * this.weight.flat().length : 0,
      multiplyAddsText: isLinear ? `${rows} · ${this.weight.flat().length} weights` : `${dims.join(" · ")} numbers`,
      parameters: isLinear ? this.weight.flat().length + (this.bias?.length ?? 0) : 0,
    };
  }
}

function softmax(values) {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
