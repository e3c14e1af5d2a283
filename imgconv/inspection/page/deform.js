// Deformable convolution: each tap reads the input at its place plus an offset, between four cells. Offsets are the same everywhere.

import { AXES, fieldOf, outputSize, padsOf, positionsOf, sizeFormulas, spanOf } from "./geometry.js";
import { validOf } from "./missing.js";
import { number, signed } from "./numbers.js";

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

/** A convolution of each channel whose taps are moved by `offsets` (kh rows of kw pairs). */
export class Deformed {
  constructor(settings) {
    Object.assign(this, settings);
    this.title = settings.text ?? `deformable ${settings.name}`;
  }

  get window() {
    const { stride, padding, dilation, taps } = this;
    return { kernelSize: [taps.length, taps[0].length], stride, padding, dilation, ceilMode: false, anchor: null };
  }

  get span() {
    return AXES.map((axis) => spanOf(this.window, axis));
  }

  shape([channels, height, width]) {
    return [channels, ...outputSize(this.window, [height, width])];
  }

  apply(input) {
    const [, height, width] = this.shape([input.planes.length, input.height, input.width]);
    const size = [input.height, input.width];
    const pads = padsOf(this.window, size);
    const planes = input.planes.map((plane) => {
      const sums = new Float64Array(height * width);
      this.taps.forEach((line, u) =>
        line.forEach((tap, v) => {
          const [down, across] = this.offsets[u][v];
          for (let i = 0; i < height; i++) {
            const y = i * this.stride[0] - pads[0][0] + u * this.dilation[0] + down;
            for (let j = 0; j < width; j++) {
              sums[i * width + j] += tap * between(plane, size, y, j * this.stride[1] - pads[1][0] + v * this.dilation[1] + across);
            }
          }
        }),
      );
      return Float32Array.from(sums, (sum) => sum / this.divisor);
    });
    return { ...input, planes, height, width, whole: false, floats: true, stretch: null, valid: validOf(input, planes) };
  }

  /** Where each tap of an output cell reads, as [row, column] with fractions. */
  points(input, at) {
    const pads = padsOf(this.window, [input.height, input.width]);
    const [rows, columns] = AXES.map((axis) => positionsOf(this.window, pads, axis, at[axis]));
    return this.taps.map((line, u) => line.map((_, v) => [rows[u], columns[v], ...this.offsets[u][v]]));
  }

  explain(input, output, [c, row, column]) {
    const size = [input.height, input.width];
    const points = this.points(input, [row, column]);
    const pads = padsOf(this.window, size);
    const values = points.map((line) => line.map(([y, x, down, across]) => between(input.planes[c], size, y + down, x + across)));
    const [rows, columns] = AXES.map((axis) => positionsOf(this.window, pads, axis, [row, column][axis]));
    const padded = points.map((line) => line.map(([y, x]) => y < 0 || x < 0 || y >= size[0] || x >= size[1]));
    const sum = this.taps.reduce((total, line, u) => line.reduce((t, tap, v) => t + tap * values[u][v], total), 0);
    const terms = this.taps.flatMap((line, u) =>
      line.flatMap((tap, v) => (tap ? [[tap < 0, `${number(Math.abs(tap))}·${number(values[u][v])}`]] : [])),
    );
    const stages = [{ name: "sum", text: terms.length > 25 ? `${terms.length} products` : signed(terms) || "no tap but 0", value: sum }];
    if (this.divisor !== 1) stages.push({ name: "divisor", text: `${number(sum)} / ${number(this.divisor)}`, value: sum / this.divisor });
    const part = {
      title: `${input.names[c]}, between cells`,
      kernel: "",
      channel: c,
      cells: { rows, columns, values, padded },
      taps: this.taps,
    };
    return { parts: [part], stages, value: stages.at(-1).value };
  }

  field(size, axis, cells) {
    const reach = Math.ceil(Math.max(...this.offsets.flat().map((pair) => Math.abs(pair[axis]))));
    const [first, last] = fieldOf(this.window, padsOf(this.window, size), axis, cells, size[axis]);
    return [Math.max(first - reach, 0), Math.min(last + reach, size[axis] - 1)];
  }

  facts([channels, height, width]) {
    const [, h, w] = this.shape([channels, height, width]);
    const taps = this.taps.flat().length;
    const size = [height, width];
    return {
      sizes: sizeFormulas(this.window, size),
      pads: padsOf(this.window, size),
      multiplyAdds: 5 * taps * h * w * channels,
      multiplyAddsText: `${h} · ${w} cells · ${taps} taps · 5 (four for each value between cells)`,
      parameters: 3 * taps,
    };
  }
}

/** The value of a plane between four cells; cells outside are 0. */
export function between(plane, [height, width], y, x) {
  const i = Math.floor(y);
  const j = Math.floor(x);
  const down = y - i;
  const across = x - j;
  const at = (row, column) => (row < 0 || column < 0 || row >= height || column >= width ? 0 : plane[row * width + column]);
  return (1 - down) * ((1 - across) * at(i, j) + across * at(i, j + 1)) + down * ((1 - across) * at(i + 1, j) + across * at(i + 1, j + 1));
}
