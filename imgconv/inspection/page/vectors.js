// Steps of a network on vectors, which are maps of one row: flatten, linear layers and softmax.

import { Elementwise } from "./elementwise.js";
import { Misfit } from "./geometry.js";
import { mapsOf } from "./layers.js";

/** Vectors: flatten, linear layers and softmax, as maps of one row. */
export class Vector extends Elementwise {
  shape(dims) {
    const length = dims.reduce((product, size) => product * size, 1);
    if (this.op === "linear" && this.weight[0].length !== dims.at(-1)) {
      throw new Misfit(`${this.text} needs ${this.weight[0].length} numbers, it gets ${dims.at(-1)}`);
    }
    return [this.op === "linear" ? this.weight.length : length];
  }

  apply(input) {
    const values = input.planes.length === 1 ? input.planes[0] : input.planes.flatMap((plane) => [...plane]);
    const plane = Float32Array.from(
      { flatten: () => values, linear: () => this.#products(values), softmax: () => softmax(values) }[this.op](),
    );
    return { ...mapsOf(input, [plane], [1, plane.length], ["vector"]), vector: true };
  }

  #products(values) {
    return this.weight.map((row, n) => row.reduce((sum, weight, i) => sum + weight * values[i], this.bias?.[n] ?? 0));
  }

  explain(input, output, [, , column]) {
    const value = output.planes[0][column];
    const count = input.planes.length * input.planes[0].length;
    const text = {
      flatten: `number ${column} of ${count}`,
      linear: `${count} products${this.bias ? " and the bias" : ""}`,
      softmax: "exp(value) / sum of all exp(value)",
    }[this.op];
    return { parts: [], stages: [{ name: this.op, text, value }], value };
  }

  field(size, axis) {
    return [0, size[axis] - 1];
  }

  facts(dims) {
    const parameters = this.op === "linear" ? this.weight.flat().length + (this.bias?.length ?? 0) : 0;
    return {
      sizes: [],
      multiplyAdds: this.op === "linear" ? this.weight.flat().length : 0,
      multiplyAddsText: `${dims.join(" · ")} numbers`,
      parameters,
    };
  }
}

function softmax(values) {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(values, (value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
