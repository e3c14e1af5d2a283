// Canny's stages as steps: smoothed, gradient, ridges, edges. Lengths are those of Sobel's gradient, not divided.

import { isAlpha, withAlphaOf } from "./alpha.js";
import { unchangedAlpha } from "./elementwise.js";
import { AXES, patchOf } from "./geometry.js";
import { hide, inverted, isMissing, missingUnder, validStage } from "./missing.js";
import { number, productsText } from "./numbers.js";
import { addCorrelation, float32, halfEven, padded, reduceWindows, reusing, sumOf } from "./sums.js";

const NEAREST = { mode: "replicate", value: 0, spare: null };
const SOBEL = {
  down: [
    [-1, -2, -1],
    [0, 0, 0],
    [1, 2, 1],
  ],
  across: [
    [-1, 0, 1],
    [-2, 0, 2],
    [-1, 0, 1],
  ],
};
const ROUNDING = 48 * 2 ** -23; // share of a level; shorter gradients of smoothed cells are rounding errors
const LEAST_WEIGHT = 1e-9; // of valid cells under the Gaussian
const LEAST_SIGMA = 0.125; // a smaller one smooths nothing
const ESTIMATING = 1; // the sigma of missing cells where nothing is smoothed
const EVERY_CELL = [
  [1, 1, 1],
  [1, 1, 1],
  [1, 1, 1],
];
const round = Math.fround;

/** The Gaussian of a sigma up to 4 sigma, of sum 1. */
function gaussian(sigma) {
  const radius = Math.trunc(4 * sigma + 0.5);
  const taps = [];
  for (let d = -radius; d <= radius; d++) taps.push(radius ? Math.exp(-0.5 * (d / sigma) ** 2) : 1);
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((tap) => tap / sum);
}

/** What is common to the stages; `settings` is {sigma, low, high, percent, invert}. */
class Stage {
  constructor(settings, title, radius) {
    Object.assign(this, settings, { title, radius, span: [2 * radius + 1, 2 * radius + 1], stride: [1, 1], window: null });
  }

  shape([, height, width]) {
    return [1, height, width];
  }

  /** Maps whose missing cells are those of the photograph, or others in `valid`. */
  result(input, planes, names, valid = null) {
    const photo = input.photo ?? input;
    const known = photo.valid && planes.map(() => valid ?? photo.valid[0]);
    return { ...input, planes, names, alpha: false, whole: false, floats: true, stretch: null, photo, valid: known };
  }

  /** The explanation of a missing cell. */
  missing(parts, text = "the cell itself is missing", stages = []) {
    return { parts, stages: [...stages, { name: "missing", text, value: NaN }], value: NaN };
  }

  around(input, c, [row, column], radius = this.radius) {
    const line = (middle) => Array.from({ length: 2 * radius + 1 }, (_, n) => middle - radius + n);
    return patchOf(input.planes[c], [input.height, input.width], line(row), line(column), NEAREST);
  }

  field(size, axis, [first, last]) {
    return [Math.max(first - this.radius, 0), Math.min(last + this.radius, size[axis] - 1)];
  }

  facts() {
    const taps = (2 * this.radius + 1) ** 2;
    return { sizes: [], multiplyAdds: 0, multiplyAddsText: `${taps} cells for each pixel`, parameters: 0 };
  }
}

/** A stage before the thresholds, whose maps depend on sigma alone. */
class EarlyStage extends Stage {
  /** Whether the maps of another step are those of this one, for the same input. */
  repeats(other) {
    return other?.constructor === this.constructor && other.sigma === this.sigma;
  }
}

/** The photograph under a Gaussian, in which missing cells have no weight; without smoothing, an estimate for missing cells alone. */
class Smoothed extends EarlyStage {
  constructor(settings) {
    const estimates = settings.sigma < LEAST_SIGMA;
    const sigma = estimates ? ESTIMATING : settings.sigma;
    super(settings, estimates ? "estimates of missing cells" : `gaussian of sigma ${sigma}`, Math.trunc(4 * sigma + 0.5));
    Object.assign(this, { estimates, taps: gaussian(sigma) });
  }

  /** Along an axis, the sums of taps inside the plane over the sum of these taps. */
  #along(source, { width, height }, axis) {
    const { taps, radius } = this;
    const pads = AXES.map((each) => (each === axis ? [radius, radius] : [0, 0]));
    const cells = padded(source, [height, width], pads, { mode: "zeros", value: 0 }, Float64Array, reusing("cells"));
    const sums = reusing("sums")(source.length).fill(0);
    addCorrelation(sums, [height, width], cells, axis ? [taps] : taps.map((tap) => [tap]), [1, 1], [1, 1]);
    const count = axis ? width : height;
    const inside = (i) => taps.slice(Math.max(radius - i, 0), radius + count - i);
    const weights = Array.from({ length: count }, (_, i) => inside(i).reduce((sum, tap) => sum + tap, 0));
    for (let o = 0, row = 0; row < height; row++) {
      for (let column = 0; column < width; column++, o++) sums[o] /= weights[axis ? column : row];
    }
    return float32(sums, 0);
  }

  #smoothed(plane, size) {
    return this.#along(this.#along(plane, size, 0), size, 1);
  }

  apply(input) {
    const [plane, known] = [input.planes[0], input.valid?.[0]];
    const values = this.#smoothed(plane, input);
    if (!known) return this.result(input, [values], ["smoothed"]);
    const weights = this.#smoothed(known, input);
    const valid = new Uint8Array(plane.length);
    for (let i = 0; i < plane.length; i++) {
      valid[i] = weights[i] > LEAST_WEIGHT;
      values[i] = this.estimates && known[i] ? plane[i] : valid[i] ? values[i] / weights[i] : 0;
    }
    return this.result(input, [values], ["smoothed"], valid);
  }

  explain(input, output, [, row, column]) {
    const cells = this.around(input, 0, [row, column]);
    const outer = this.taps.map((a) => this.taps.map((b) => a * b));
    const missing = missingUnder(input, 0, cells.rows, cells.columns, NEAREST);
    const taps = outer.map((line, u) => line.map((tap, v) => (cells.padded[u][v] || missing?.[u][v] ? 0 : tap)));
    const part = { title: input.names[0], kernel: "", channel: 0, cells: { ...cells, missing }, taps };
    if (this.estimates && !isMissing(input, [0, row, column])) {
      const value = cells.values[this.radius][this.radius];
      return { parts: [part], stages: [{ name: "cell", text: "a cell that is not missing stays as it is", value }], value };
    }
    const stages = this.#sums(part, sumOf(cells.values, taps));
    if (isMissing(output, [0, row, column])) return this.missing([part], "no valid cell is near", stages);
    return { parts: [part], stages, value: stages.at(-1).value };
  }

  /** The stages of a sum over the valid cells inside the image. */
  #sums(part, sum) {
    const { padded: outside, missing } = part.cells;
    const inside = part.taps.flat().reduce((a, b) => a + b, 0);
    const stages = [{ name: "sum", text: productsText([part]), value: sum }];
    const all = outside.flatMap((line, u) => line.flatMap((out, v) => (out ? [] : [!missing?.[u][v]])));
    if (missing) stages.unshift(validStage(all.filter(Boolean).length, all.length));
    const name = missing ? "weight" : "inside";
    if (inside < 1 - 1e-9) stages.push({ name, text: `${number(sum)} / ${number(inside)} of the weights`, value: sum / inside });
    return stages;
  }
}

class Gradient extends EarlyStage {
  constructor(settings) {
    super(settings, "gradient: sobel_y, sobel_x, length", 1);
  }

  shape([, height, width]) {
    return [3, height, width];
  }

  apply(input) {
    const { width, height } = input;
    const plane = input.planes[0];
    const count = width * height;
    const noise = (this.sigma < LEAST_SIGMA ? 0 : ROUNDING) * (input.valid ? 2 : 1); // a quotient has the rounding of two sums
    const [down, across, length] = [0, 1, 2].map(() => new Float32Array(count));
    for (let i = 0; i < height; i++) {
      const above = Math.max(i - 1, 0) * width;
      const here = i * width;
      const below = Math.min(i + 1, height - 1) * width;
      for (let j = 0; j < width; j++) {
        const l = Math.max(j - 1, 0);
        const r = Math.min(j + 1, width - 1);
        const y =
          round(plane[below + l] - plane[above + l]) +
          2 * round(plane[below + j] - plane[above + j]) +
          round(plane[below + r] - plane[above + r]);
        const x =
          round(plane[above + r] - plane[above + l]) +
          2 * round(plane[here + r] - plane[here + l]) +
          round(plane[below + r] - plane[below + l]);
        down[here + j] = y;
        across[here + j] = x;
        const size = Math.sqrt(x * x + y * y);
        length[here + j] = size <= noise * Math.abs(plane[here + j]) ? 0 : size;
      }
    }
    return this.result(input, [length, down, across], ["length", "down", "across"], this.#surrounded(input));
  }

  /** The cells without a missing one among them and their neighbours; null where none is missing. */
  #surrounded({ photo, height, width }) {
    if (!photo?.valid) return null;
    const around = [
      [1, 1],
      [1, 1],
    ];
    const cells = padded(inverted(photo.valid[0]), [height, width], around, { mode: "zeros", value: 0 });
    return inverted(Uint8Array.from(reduceWindows("max", [height, width], cells, EVERY_CELL, [1, 1], [1, 1])));
  }

  explain(input, output, [c, row, column]) {
    const cells = this.around(input, 0, [row, column]);
    const part = (name) => ({
      title: "smoothed",
      kernel: name === "down" ? "sobel_y: grows downward" : "sobel_x: grows to the right",
      channel: 0,
      cells,
      taps: SOBEL[name],
    });
    const stage = (name) => ({ name, text: productsText([part(name)]), value: sumOf(cells.values, SOBEL[name]) });
    const missing = isMissing(output, [c, row, column]);
    if (c && !missing) return { parts: [part(output.names[c])], stages: [stage(output.names[c])], value: stage(output.names[c]).value };
    const stages = [stage("down"), stage("across")];
    const text = missing
      ? "a missing cell is next to it, so that its gradient does not count"
      : `√((${number(stages[0].value)})² + (${number(stages[1].value)})²)`;
    if (missing) return this.missing([part("down"), part("across")], text, stages);
    const value = Math.hypot(stages[0].value, stages[1].value);
    return { parts: [part("down"), part("across")], stages: [...stages, { name: "length", text, value }], value };
  }
}

/** Both thresholds as lengths of gradients. */
function bounds({ low, high, percent }, { planes: [lengths], valid }) {
  if (!percent) return [low, high];
  const sorted = (valid ? lengths.filter((_, i) => valid[0][i]) : Float32Array.from(lengths)).sort();
  return [low, high].map((share) => sorted[halfEven((share / 100) * (sorted.length - 1))]);
}

class Ridges extends Stage {
  constructor(settings) {
    super(settings, "ridges: weak and strong", 1);
  }

  /** The lengths one step ahead and one behind along the gradient, times the longer of its two parts. */
  #neighbours([length, down, across], width, at) {
    const y = Math.abs(down[at]);
    const x = Math.abs(across[at]);
    const falls = down[at] * across[at] >= 0;
    const longer = Math.max(y, x);
    const shorter = Math.min(y, x);
    const side = y > x ? width : falls ? 1 : -1;
    const corner = falls ? width + 1 : width - 1;
    const rest = longer - shorter;
    const ahead = length[at + corner] * shorter + length[at + side] * rest;
    const behind = length[at - corner] * shorter + length[at - side] * rest;
    return { ahead, behind, longer };
  }

  apply(input) {
    const { width, height, largest, planes } = input;
    const marks = new Float32Array(width * height);
    const [low, high] = bounds(this, input);
    const weak = largest > 1 ? Math.floor(largest / 2) : largest / 2;
    const [least, strong] = [Math.max(round(low), Number.MIN_VALUE), round(high)];
    const [lengths] = planes;
    const known = input.valid?.[0];
    for (let i = 1; i < height - 1; i++) {
      for (let at = i * width + 1; at < (i + 1) * width - 1; at++) {
        const length = lengths[at];
        if (!(length >= least) || (known && !known[at])) continue;
        const { ahead, behind, longer } = this.#neighbours(planes, width, at);
        const here = length * longer;
        if (ahead <= here && behind <= here) marks[at] = length >= strong ? largest : weak;
      }
    }
    return { ...this.result(input, [marks], ["ridges"]), bounds: [low, high] };
  }

  explain(input, output, [, row, column]) {
    const { width, height } = input;
    const cells = this.around(input, 0, [row, column]);
    const part = { title: "length", kernel: "", channel: 0, cells, taps: null, members: EVERY_CELL };
    if (isMissing(output, [0, row, column])) return this.missing([part]);
    const at = row * width + column;
    const beside = isMissing(input, [0, row, column]);
    const inside = !beside && row > 0 && column > 0 && row < height - 1 && column < width - 1;
    const text = inside ? "no gradient" : `${beside ? "pixels next to a missing cell" : "the outermost pixels"} are never edges`;
    const stages = inside && input.planes[0][at] ? this.#stages(input, output, at) : [{ name: "ridge", text, value: 0 }];
    return { parts: [part], stages, value: output.planes[0][at] };
  }

  #stages({ width, planes, largest }, output, at) {
    const length = planes[0][at];
    const value = output.planes[0][at];
    const [low, high] = output.bounds;
    const { ahead, behind, longer } = this.#neighbours(planes, width, at);
    const neighbours = { ahead: ahead / longer, behind: behind / longer };
    const compared = length < low ? "< low" : length < high ? "≥ low, < high" : "≥ high";
    return [
      { name: "direction", text: "degrees from the right, downward", value: (Math.atan2(planes[1][at], planes[2][at]) * 180) / Math.PI },
      ...Object.entries(neighbours).map(([name, other]) => {
        return { name, text: `${number(length)} ${other <= length ? "≥" : "<"} the length one step ${name}`, value: other };
      }),
      { name: "thresholds", text: `${number(length)} ${compared} (${number(low)}, ${number(high)})`, value: length },
      { name: "mark", text: value === largest ? "strong" : value ? "weak" : "no ridge", value },
    ];
  }
}

class Edges extends Stage {
  constructor(settings) {
    super(settings, "edges: strong, and weak that touch them", 1);
    this.seesAll = true; // a weak ridge may be connected to one that is far away
  }

  apply(input) {
    const { width, largest } = input;
    const ridges = input.planes[0];
    const edges = new Float32Array(ridges.length);
    const stack = new Int32Array(ridges.length); // of cells whose neighbours are still to be looked at
    let count = 0;
    for (let at = 0; at < ridges.length; at++) {
      if (ridges[at] !== largest) continue;
      edges[at] = largest;
      stack[count++] = at;
    }
    while (count) {
      const at = stack[--count]; // no ridge is at the border
      for (let row = at - width; row <= at + width; row += width) {
        for (let next = row - 1; next <= row + 1; next++) {
          if (!ridges[next] || edges[next]) continue;
          edges[next] = largest;
          stack[count++] = next;
        }
      }
    }
    if (this.invert) for (let at = 0; at < edges.length; at++) edges[at] = largest - edges[at];
    return withAlphaOf(input.photo, this.result(input, [hide(edges, input.valid?.[0], 0)], ["edges"]));
  }

  explain(input, output, [c, row, column]) {
    if (isAlpha(output, c)) return unchangedAlpha(input.photo, row, column);
    const { width, largest } = input;
    const at = row * width + column;
    const mark = input.planes[0][at];
    const value = output.planes[0][at];
    const cells = this.around(input, 0, [row, column]);
    const part = { title: "ridges", kernel: "", channel: 0, cells, taps: null, members: EVERY_CELL };
    if (isMissing(output, [0, row, column])) return this.missing([part]);
    const edge = (value === largest) !== Boolean(this.invert);
    const text =
      mark === largest
        ? "a strong ridge"
        : !mark
          ? "no ridge"
          : edge
            ? "a weak ridge that is connected to a strong one"
            : "a weak ridge that is connected to no strong one";
    const stages = [{ name: "edge", text, value: edge ? largest : 0 }];
    if (this.invert) stages.push({ name: "invert", text: `${largest} − ${number(stages[0].value)}`, value });
    return { parts: [part], stages, value };
  }
}

/** The stages of canny with these settings. */
export function cannyStages(settings, photo) {
  const stages = [new Gradient(settings), new Ridges(settings), new Edges(settings)];
  return settings.sigma >= LEAST_SIGMA || photo.valid ? [new Smoothed(settings), ...stages] : stages;
}
