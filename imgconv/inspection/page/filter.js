// The filter of `imgconv edge` and `imgconv filter`: from pixels to pixels, whole maps and single cells.

import { alphaFrom, alphaPixels, alphaSum, cellUnderAnchor, colourFrom, coloursOf, isAlpha, keptAlpha, premultiplied } from "./alpha.js";
import { pointwise } from "./elementwise.js";
import { AXES, Misfit, checkBorder, fieldOf, outputSize, padsOf, patchOf, positionsOf, sizeFormulas } from "./geometry.js";
import { flipped, wholeTaps } from "./kernels.js";
import { fromLight, toLight } from "./light.js";
import { hide, isMissing, isZeroSum, missingStage, normalise, sumStages, underAnchor, withoutMissing, withReason } from "./missing.js";
import { number } from "./numbers.js";
import { addProduct, extremes, padded, paddedType, reusing, toLevel } from "./sums.js";

/** How the maps of a bank become one: what the values of a map add to `all`, and the arithmetic as text. */
const COMBINED = {
  max: {
    add: (all, values) => {
      for (let i = 0; i < all.length; i++) all[i] = Math.max(all[i], Math.abs(values[i]));
    },
    text: (values) => values.map((v) => `|${v}|`).join(", "),
  },
  sum: {
    add: (all, values) => {
      for (let i = 0; i < all.length; i++) all[i] += Math.abs(values[i]);
    },
    text: (values) => values.map((v) => `|${v}|`).join(" + "),
  },
  hypot: { add: addSquares, text: (values) => `√(${values.map((v) => `(${v})²`).join(" + ")})` },
};

function addSquares(all, values) {
  for (let i = 0; i < all.length; i++) all[i] += values[i] * values[i];
}

/** A filter step; `settings` are those of the page, `modes` the records of padding modes and ranges. */
export class Filter {
  constructor(settings, modes) {
    Object.assign(this, settings);
    this.modes = modes;
    this.arithmetic = modes.range[this.range];
    this.overChannels = Array.isArray(this.kernels[0].taps[0][0]);
    this.border = { mode: this.paddingMode, value: this.paddingValue, spare: modes.padding[this.paddingMode].spare };
  }

  get title() {
    return this.kernels.length > 1 ? `${this.name} (${this.kernels.length} kernels, ${this.combine})` : this.name;
  }

  /** The window of one kernel of the bank. */
  windowOf(kernel) {
    const plane = this.overChannels ? kernel.taps[0] : kernel.taps;
    const kernelSize = [plane.length, plane[0].length];
    const anchor = kernel.anchor && this.flip ? kernel.anchor.map((a, axis) => kernelSize[axis] - 1 - a) : kernel.anchor;
    return { kernelSize, stride: this.stride, padding: this.padding, dilation: this.dilation, anchor };
  }

  get window() {
    return this.windowOf(this.kernels[0]);
  }

  shape([channels, height, width]) {
    if (this.overChannels && this.kernels[0].taps.length !== channels) {
      throw new Misfit(`the kernel is for ${this.kernels[0].taps.length} channels, the image has ${channels}`);
    }
    for (const kernel of this.kernels) checkBorder(this.border, padsOf(this.windowOf(kernel), [height, width]), [height, width]);
    return [this.overChannels ? 1 : channels, ...outputSize(this.window, [height, width])];
  }

  /** The planes of taps of a kernel, one for each channel that it sums, and its divisor. */
  weights(kernel, largest) {
    const { taps, divisor } = wholeTaps(kernel.taps, kernel.divisor, largest);
    const planes = this.overChannels ? taps : [taps];
    return { planes: this.flip ? planes.map(flipped) : planes, divisor };
  }

  /** Whether alpha weighs the colours and is filtered with them: by one kernel whose sum is not 0. */
  #filtersAlpha({ alpha, rule }) {
    const [{ taps }] = this.kernels;
    return alpha && this.modes.alpha[rule.alpha].filtered && this.combine === "none" && !isZeroSum([taps]);
  }

  apply(input) {
    const [channels, height, width] = this.shape([input.planes.length, input.height, input.width]);
    const filtersAlpha = this.#filtersAlpha(input);
    const light = this.linear ? input.planes.map((plane, c) => (isAlpha(input, c) ? plane : lightOf(plane, input))) : input.planes;
    const source = filtersAlpha ? premultiplied(light, input.whole && !this.linear) : light;
    const valid = input.valid && [];
    const place = this.#place(this.kernels[0], input);
    const values = Array.from({ length: channels }, (_, c) => {
      const own = (planes) => (this.overChannels ? planes : [planes[c]]);
      const cells = input.valid && own(input.valid);
      valid?.push(underAnchor(cells, place, input.rule));
      if (isAlpha(input, c) && !filtersAlpha) {
        if (valid) valid[c] = valid[0];
        return keptAlpha(source[c], place);
      }
      const border = this.#borderOf(input, c);
      const known = new Map(); // padded planes, which most kernels of a bank share
      const around = (plane, size, pads) => {
        const key = `${source.indexOf(plane)} ${pads}`;
        const Type = paddedType(plane, border);
        if (!known.has(key)) known.set(key, padded(plane, size, pads, border, Type, reusing(`padded ${known.size}`, Type)));
        return known.get(key);
      };
      const sumsOf = (kernel, sums) => this.#sums(kernel, own(source), around, input, cells, valid?.[c], sums);
      const sums = reusing(`sums ${c}`)(height * width);
      return filtersAlpha ? sumsOf(this.kernels[0], sums.fill(0)) : this.#combined(sumsOf, sums, input);
    });
    if (filtersAlpha) this.#divideByAlpha(values, input);
    const stretch = this.arithmetic.stretched ? stretchOf(coloursOf({ ...input, planes: values }), valid) : null;
    const whole = input.whole && !this.arithmetic.floats;
    const pixels = (plane, c) =>
      isAlpha(input, c) ? alphaPixels(plane, input, this.arithmetic.floats) : this.#pixels(plane, input, stretch);
    const planes = values.map((plane, c) => hide(pixels(plane, c), valid?.[c], input.whole ? 0 : NaN));
    return { ...input, planes, height, width, stretch, whole, floats: this.arithmetic.floats, valid };
  }

  /** Where a kernel is over an image. */
  #place(kernel, { height, width }) {
    const window = this.windowOf(kernel);
    const size = [height, width];
    return { window, size, pads: padsOf(window, size), border: this.border, output: outputSize(window, size) };
  }

  /** What padded cells of a plane hold when it is summed: light if that is filtered, times alpha if that is filtered. */
  #borderOf(input, c) {
    const { value } = this.border;
    if (isAlpha(input, c)) return this.border;
    const level = this.linear ? toLight(input)(value) : value;
    return { ...this.border, value: this.#filtersAlpha(input) ? level * value : level };
  }

  /**
   * Add to `sums` those of products of planes with their padding, which `around` gives. `cells` are their valid cells, and `known` becomes
   * 0 where a result is missing.
   */
  #sums(kernel, planes, around, input, cells, known, sums) {
    const place = this.#place(kernel, input);
    const { size, pads, output } = place;
    const { planes: taps } = this.weights(kernel, input.largest);
    planes.forEach((plane, c) => addProduct(sums, output, around(plane, size, pads), taps[c], this.stride, this.dilation));
    if (known) normalise(sums, known, taps, cells, place, input.rule);
    return sums;
  }

  /** Sums of colours times alpha, and of alpha, become colours and alpha. */
  #divideByAlpha(values, input) {
    const [kernel] = this.kernels;
    const scale = this.#scaleOf(kernel, input);
    const more = addedBy(kernel, input);
    const alphas = values.at(-1);
    for (let i = 0; i < alphas.length; i++) alphas[i] = alphaSum(alphas[i], scale);
    for (const plane of values.slice(0, -1)) {
      for (let i = 0; i < plane.length; i++) plane[i] = alphas[i] > 0 ? colourFrom(plane[i], alphas[i], scale) + more : 0;
    }
    for (let i = 0; i < alphas.length; i++) alphas[i] = alphaFrom(alphas[i], scale);
  }

  /** What turns sums of products with alpha into colours and alpha. */
  #scaleOf(kernel, { largest }) {
    const { planes, divisor } = this.weights(kernel, largest);
    return { total: planes.flat(2).reduce((sum, tap) => sum + tap, 0), divisor, largest };
  }

  /** The sums of each kernel with its divisor and offset, combined; `sums` is memory for them. */
  #combined(sumsOf, sums, input) {
    const { length } = sums;
    const mapOf = (kernel) => {
      const { divisor } = this.weights(kernel, input.largest);
      const more = addedBy(kernel, input);
      sumsOf(kernel, sums.fill(0));
      if (divisor !== 1 || more) for (let i = 0; i < length; i++) sums[i] = sums[i] / divisor + more;
      return sums;
    };
    return this.#joined(length, mapOf, input.largest);
  }

  /** One map of those of all kernels, which `mapOf` gives one after the other, in one array. */
  #joined(length, mapOf, largest) {
    const { combine, kernels, subspace } = this;
    if (combine === "none") return mapOf(kernels[0], 0);
    const isProjection = combine === "projection";
    const [all, part] = [new Float64Array(length), new Float64Array(isProjection ? length : 0)];
    kernels.forEach((kernel, n) => {
      const values = mapOf(kernel, n);
      (isProjection ? addSquares : COMBINED[combine].add)(all, values);
      if (n < subspace) addSquares(part, values);
    });
    if (combine === "hypot") for (let i = 0; i < length; i++) all[i] = Math.sqrt(all[i]);
    if (isProjection) for (let i = 0; i < length; i++) all[i] = all[i] > 0 ? largest * Math.sqrt(part[i] / all[i]) : 0;
    return all;
  }

  combineCells(cells, largest) {
    return this.#joined(1, (kernel, n) => [cells[n]], largest)[0];
  }

  /** The pixels of values, which are changed: a loop for each rule, since a function for each value takes longer. */
  #pixels(values, input, stretch) {
    const { absolute, added, bounded, floats } = this.arithmetic;
    if (floats) return new Float32Array(values);
    const { largest, whole, level } = input;
    const { threshold, invert } = this;
    const count = values.length;
    if (absolute) for (let i = 0; i < count; i++) values[i] = Math.abs(values[i]);
    if (added) for (let i = 0; i < count; i++) values[i] += added * level;
    const [low, high] = stretch ?? [0, 0];
    const span = high - low || 1;
    if (stretch) for (let i = 0; i < count; i++) values[i] = ((values[i] - low) * largest) / span;
    if (this.linear && bounded) for (let i = 0; i < count; i++) values[i] = fromLight(values[i], input);
    if (whole) for (let i = 0; i < count; i++) values[i] = toLevel(values[i], largest);
    if (threshold !== null) for (let i = 0; i < count; i++) values[i] = values[i] >= threshold ? largest : 0;
    if (invert) for (let i = 0; i < count; i++) values[i] = largest - values[i];
    return new input.planes[0].constructor(values);
  }

  /** The arithmetic of an output cell [channel, row, column]. */
  explain(input, output, [c, row, column]) {
    const filtersAlpha = this.#filtersAlpha(input);
    if (isAlpha(input, c) && !filtersAlpha) return this.#explainKeptAlpha(input, output, [c, row, column]);
    const members = this.kernels.map((kernel) => this.#member(kernel, input, c, [row, column]));
    const parts = members.flatMap((member) => member.parts);
    if (isMissing(output, [c, row, column])) {
      const { stages } = members.find((member) => member.stages.some(({ name }) => name === "missing")) ?? members[0];
      return { parts, stages: withReason(stages, input), value: NaN };
    }
    const values = members.map((member) => member.value);
    const stages = members.length > 1 ? [] : [...members[0].stages];
    let value = values[0];
    if (members.length > 1 || this.combine !== "none") {
      members.forEach((member, n) => stages.push({ name: this.kernels[n].name, text: member.stages.at(-1).text, value: member.value }));
      value = this.combineCells(values, input.largest);
      stages.push({ name: this.combine, text: this.#combinationText(values, input.largest), value });
    }
    this.#finishStages(stages, value, input, output, isAlpha(input, c));
    return { parts, stages, value: stages.at(-1).value };
  }

  #explainKeptAlpha(input, output, at) {
    const [c, row, column] = at;
    const cell = cellUnderAnchor(this.#place(this.kernels[0], input), [row, column]);
    const value = input.planes[c][cell[0] * input.width + cell[1]];
    const explained = pointwise({ op: "alpha" }, [[input, c]], ...cell, `as it is at ${cell[1]},${cell[0]}`, value);
    return isMissing(output, at) ? { ...explained, stages: [missingStage(input)], value: NaN } : explained;
  }

  #combinationText(values, largest) {
    const texts = values.map(number);
    if (this.combine !== "projection") return COMBINED[this.combine].text(texts);
    const sum = (some) => some.map((v) => `(${v})²`).join(" + ");
    return `${number(largest)} · √((${sum(texts.slice(0, this.subspace))}) / (${sum(texts)}))`;
  }

  #member(kernel, input, c, at) {
    const parts = this.#parts(kernel, input, c, at, input.largest);
    const stages = sumStages(parts, input);
    let { value } = stages.at(-1);
    const step = (name, text, result) => stages.push({ name, text, value: (value = result) });
    const filtersAlpha = this.#filtersAlpha(input);
    const scale = this.#scaleOf(kernel, input);
    if (isAlpha(input, c)) {
      step("share", `${number(value)} / ${number(scale.total)}`, alphaFrom(alphaSum(value, scale), scale));
      return { parts, stages, value };
    }
    const { divisor } = scale;
    if (divisor !== 1) step("divisor", `${number(value)} / ${number(divisor)}`, value / divisor);
    if (filtersAlpha) {
      const sumOf = (channel) => sumStages(this.#parts(kernel, input, channel, at, 1), input).at(-1).value; // without rounding
      const alphas = alphaSum(sumOf(input.planes.length - 1), scale);
      const colour = alphas > 0 ? colourFrom(sumOf(c), alphas, scale) : 0;
      step("alpha", `${number(value)} / ${number(alphaFrom(alphas, scale) / input.largest)} opaque`, colour);
      if (!(alphas > 0)) return { parts, stages, value };
    }
    const more = kernel.offset * input.level;
    if (more) step("offset", `${number(value)} + ${number(more)}`, value + more);
    if (kernel.bias) step("bias", `${number(value)} + ${number(kernel.bias)}`, value + kernel.bias);
    return { parts, stages, value };
  }

  /** The cells of each channel that a sum adds, and their taps. */
  #parts(kernel, input, c, at, opaque) {
    const { window, pads } = this.#place(kernel, input);
    const [rows, columns] = AXES.map((axis) => positionsOf(window, pads, axis, at[axis]));
    const times = this.#filtersAlpha(input) && !isAlpha(input, c) ? " · alpha" : "";
    const all = this.weights(kernel, input.largest).planes.map((taps, n) => {
      const channel = this.overChannels ? n : c;
      const cells = this.cellsOf(input, channel, rows, columns, opaque);
      return { title: `${input.names[channel]}${times}`, kernel: this.kernels.length > 1 ? kernel.name : "", channel, cells, taps };
    });
    return withoutMissing(all, input, this.border);
  }

  /** The cells that a sum reads: as light if that is filtered, and colours times alpha, divided by `opaque`, if alpha is filtered. */
  cellsOf(input, c, rows, columns, opaque = input.largest) {
    const read = (channel) => {
      const cells = patchOf(input.planes[channel], [input.height, input.width], rows, columns, this.border);
      if (this.linear && !isAlpha(input, channel)) cells.values = cells.values.map((line) => line.map(toLight(input)));
      return cells;
    };
    const cells = read(c);
    if (!this.#filtersAlpha(input) || isAlpha(input, c)) return cells;
    const alpha = read(input.planes.length - 1).values;
    return { ...cells, values: cells.values.map((line, u) => line.map((value, v) => (value * alpha[u][v]) / opaque)) };
  }

  #finishStages(stages, start, input, output, alpha) {
    let value = start;
    const { absolute, added, bounded, floats } = this.arithmetic;
    const { largest } = input;
    const step = (name, text, result) => stages.push({ name, text, value: (value = result) });
    const round = () => input.whole && step("rounded", `half to even, from 0 to ${number(largest)}`, toLevel(value, largest));
    if (alpha && !floats) round();
    if (alpha) return;
    if (absolute) step("range abs", `|${number(value)}|`, Math.abs(value));
    if (added) step("range offset", `${number(value)} + ${number(added * input.level)}`, value + added * input.level);
    if (output.stretch) {
      const [low, high] = output.stretch;
      const text = `(${number(value)} − ${number(low)}) · ${number(largest)} / (${number(high)} − ${number(low)})`;
      step("range minmax", text, ((value - low) * largest) / (high - low || 1));
    }
    if (floats) return;
    if (this.linear && bounded) step(input.transfer?.name ?? "sRGB", `from light ${number(value)}`, fromLight(value, input));
    round();
    if (this.threshold !== null) {
      const passes = value >= this.threshold;
      step("threshold", `${number(value)} ${passes ? "≥" : "<"} ${number(this.threshold)}`, passes ? largest : 0);
    }
    if (this.invert) step("invert", `${number(largest)} − ${number(value)}`, largest - value);
  }

  /** The input cells that output cells [first, last] along an axis depend on. */
  field(size, axis, cells) {
    return fieldOf(this.window, padsOf(this.window, size), axis, cells, size[axis]);
  }

  facts([channels, height, width]) {
    const [out, h, w] = this.shape([channels, height, width]);
    const size = [height, width];
    const taps = this.kernels.reduce((sum, kernel) => sum + kernel.taps.flat(2).length, 0);
    const biases = this.kernels.filter((kernel) => kernel.bias).length;
    const multiplyAdds = taps * h * w * out;
    return {
      sizes: sizeFormulas(this.window, size),
      pads: padsOf(this.window, size),
      multiplyAdds,
      multiplyAddsText: `${h} · ${w} cells · ${taps} taps${out > 1 ? ` · ${out} channels` : ""}`,
      parameters: taps + biases,
    };
  }

  get span() {
    return [0, 1].map((axis) => this.dilation[axis] * (this.window.kernelSize[axis] - 1) + 1);
  }
}

/** What a kernel adds to its quotient. */
function addedBy({ offset, bias }, { level }) {
  return offset * level + bias;
}

/** The lowest and the highest finite value of the valid cells of some planes. */
function stretchOf(planes, valid) {
  const ends = planes.map((plane, c) => extremes(plane, valid?.[c]));
  const [low, high] = [Math.min(...ends.map(([least]) => least)), Math.max(...ends.map(([, most]) => most))];
  return low <= high ? [low, high] : [0, 0];
}

/** The light of a plane of levels. */
function lightOf(plane, input) {
  const light = plane.constructor === Float64Array ? new Float64Array(plane.length) : new Float32Array(plane.length);
  const convert = toLight(input);
  for (let i = 0; i < plane.length; i++) light[i] = convert(plane[i]);
  return light;
}
