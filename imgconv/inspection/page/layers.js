// Steps of a network on float32 maps: convolutions and transposed ones.

import { AXES, Misfit, checkBorder, fieldOf, outputSize, padsOf, patchOf, positionsOf, sizeFormulas, spanOf } from "./geometry.js";
import { flipped } from "./kernels.js";
import { hide, isMissing, normalise, sumStages, underAnchor, validOf, withoutMissing, withReason, withValue } from "./missing.js";
import { counted, number } from "./numbers.js";
import { addCorrelation, float32, padded, reusing } from "./sums.js";
import { addTaps } from "./taps.js";

/** Float32 maps as the result of a step on `input`. */
export function mapsOf(input, planes, [height, width], names) {
  const list = names ?? planes.map((_, n) => `map ${n + 1}`);
  const kind = { whole: false, floats: true, stretch: null, vector: false };
  return { ...input, planes, height, width, names: list, ...kind, valid: validOf(input, planes) };
}

/** What is common to conv and conv_transpose: weights (O, I, kh, kw) or (I, O/groups, kh, kw) as planes of rows, and a bias. */
class Weighted {
  constructor(settings, modes) {
    Object.assign(this, settings);
    this.border = {
      mode: this.paddingMode ?? "zeros",
      value: this.paddingValue ?? 0,
      spare: modes.padding[this.paddingMode ?? "zeros"].spare,
    };
  }

  get title() {
    return this.label ?? this.text;
  }

  get window() {
    const plane = this.weight[0][0];
    return {
      kernelSize: [plane.length, plane[0].length],
      stride: this.stride,
      padding: this.padding,
      dilation: this.dilation,
      ceilMode: false,
      anchor: null,
    };
  }

  get parameters() {
    return this.type === "pad" ? 0 : this.weight.flat(3).length + (this.bias?.length ?? 0);
  }

  stagesOf(parts, input, bias) {
    const stages = sumStages(parts, input);
    const { value } = stages.at(-1);
    if (bias) stages.push({ name: "bias", text: `${number(value)} + ${number(bias)}`, value: value + bias });
    return stages;
  }
}

/** Cross-correlation with groups and bias; `eachChannel` puts every kernel on each channel on its own, kernels outermost. */
export class Conv extends Weighted {
  get span() {
    return AXES.map((axis) => spanOf(this.window, axis));
  }

  shape([channels, height, width]) {
    const needed = this.groups * this.weight[0].length;
    if (!this.eachChannel && this.groups && channels !== needed) {
      throw new Misfit(`${this.text} needs ${needed} channels, it gets ${channels}`);
    }
    if (this.groups && this.weight.length % this.groups) throw new Misfit(`${this.groups} groups do not divide ${this.weight.length} maps`);
    checkBorder(this.border, padsOf(this.window, [height, width]), [height, width]);
    return [this.eachChannel ? this.weight.length * channels : this.weight.length, ...outputSize(this.window, [height, width])];
  }

  /** The kernel of an output map, and the first of the channels that it sums. */
  sourceOf(map, channels) {
    if (this.eachChannel) return { kernel: Math.floor(map / channels), first: map % channels };
    const groups = this.groups || channels;
    const count = channels / groups;
    return { kernel: map, first: Math.floor((map * groups) / this.weight.length) * count };
  }

  tapsOf(kernel) {
    return this.flip ? this.weight[kernel].map(flipped) : this.weight[kernel];
  }

  apply(input) {
    const size = [input.height, input.width];
    const [count, ...output] = this.shape([input.planes.length, ...size]);
    const pads = padsOf(this.window, size);
    const place = { window: this.window, size, pads, border: this.border, output };
    const known = (plane, c) => (input.valid ? withValue(plane, input.valid[c], 0) : plane);
    const around = (plane, c) => padded(plane, size, pads, this.border, Float64Array, reusing(`cells ${c}`));
    const sources = input.planes.map((plane, c) => around(known(plane, c), c));
    const planes = Array.from({ length: count }, (_, map) => {
      const { kernel, first } = this.sourceOf(map, input.planes.length);
      const sums = reusing("sums")(output[0] * output[1]).fill(0);
      const taps = this.tapsOf(kernel);
      taps.forEach((rows, n) => addCorrelation(sums, output, sources[first + n], rows, this.stride, this.dilation));
      if (input.valid) this.#normalise(sums, taps, input.valid.slice(first, first + taps.length), place, input.rule);
      return float32(sums, this.bias?.[kernel] ?? 0);
    });
    return mapsOf(input, planes, output, this.#names(input, count));
  }

  /** The sums over the valid cells become those over all, and NaN where a result is missing. */
  #normalise(sums, taps, valid, place, rule) {
    const known = underAnchor(valid, place, rule);
    normalise(sums, known, taps, valid, place, rule);
    hide(sums, known, NaN);
  }

  #names(input, count) {
    if (!this.eachChannel) return null;
    if (this.weight.length === 1) return input.names;
    return Array.from({ length: count }, (_, map) =>
      `kernel ${Math.floor(map / input.planes.length) + 1} ${input.planes.length > 1 ? input.names[map % input.planes.length] : ""}`.trim(),
    );
  }

  explain(input, output, [map, row, column]) {
    const size = [input.height, input.width];
    const pads = padsOf(this.window, size);
    const { kernel, first } = this.sourceOf(map, input.planes.length);
    const [rows, columns] = AXES.map((axis) => positionsOf(this.window, pads, axis, [row, column][axis]));
    const all = this.tapsOf(kernel).map((taps, n) => {
      const cells = patchOf(input.planes[first + n], size, rows, columns, this.border);
      return { title: input.names[first + n], kernel: "", channel: first + n, cells, taps };
    });
    const parts = withoutMissing(all, input, this.border);
    const missing = isMissing(output, [map, row, column]);
    const stages = this.stagesOf(parts, input, missing ? 0 : this.bias?.[kernel]);
    if (missing) return { parts, stages: withReason(stages, input), value: NaN };
    return { parts, stages, value: stages.at(-1).value };
  }

  field(size, axis, cells) {
    return fieldOf(this.window, padsOf(this.window, size), axis, cells, size[axis]);
  }

  facts([channels, height, width]) {
    const [count, h, w] = this.shape([channels, height, width]);
    const size = [height, width];
    const [kh, kw] = this.window.kernelSize;
    const depth = this.weight[0].length;
    return {
      sizes: sizeFormulas(this.window, size),
      pads: padsOf(this.window, size),
      multiplyAdds: this.type === "pad" ? 0 : count * h * w * depth * kh * kw,
      multiplyAddsText:
        this.type === "pad"
          ? "a pad multiplies nothing"
          : `${h} · ${w} cells · ${counted(count, "map")} · ${counted(depth, "channel")} · ${kh} · ${kw} taps`,
      parameters: this.parameters,
    };
  }
}

/** Transposed convolution: every input cell adds a weighted kernel to the output. */
export class ConvTranspose extends Weighted {
  /** Cells of the output that one input cell reaches, as input cells: a transposed window has the stride 1/stride. */
  get span() {
    return AXES.map((axis) => Math.ceil(spanOf(this.window, axis) / this.stride[axis]));
  }

  #cells(cells, axis) {
    const [stride, dilation, more] = [this.stride[axis], this.dilation[axis], this.outputPadding[axis]];
    if (more && more >= Math.max(stride, dilation)) {
      throw new Misfit(`output padding ${more} must be smaller than the stride ${stride} or the dilation ${dilation}`);
    }
    const size = (cells - 1) * stride + spanOf(this.window, axis) + more - 2 * this.padding[axis];
    if (size < 1) throw new Misfit("nothing is left of the output; use less padding");
    return size;
  }

  shape([channels, height, width]) {
    if (!this.eachChannel && channels !== this.weight.length) {
      throw new Misfit(`${this.text} needs ${this.weight.length} channels, it gets ${channels}`);
    }
    const outputs = this.groups * this.weight[0].length;
    return [this.eachChannel ? outputs * channels : outputs, this.#cells(height, 0), this.#cells(width, 1)];
  }

  /** The input channels [channel, taps] that add to an output map, and the number of its bias. */
  #sources(map, channels) {
    if (this.eachChannel) {
      return { bias: Math.floor(map / channels), sources: [[map % channels, this.weight[0][Math.floor(map / channels)]]] };
    }
    const outputs = this.weight[0].length;
    const count = channels / this.groups;
    const group = Math.floor(map / outputs);
    return {
      bias: map,
      sources: Array.from({ length: count }, (_, n) => [group * count + n, this.weight[group * count + n][map % outputs]]),
    };
  }

  apply(input) {
    const size = [input.height, input.width];
    const [count, ...output] = this.shape([input.planes.length, ...size]);
    const margins = AXES.map((axis) => {
      const last = Math.floor((output[axis] - 1 + this.padding[axis]) / this.stride[axis]);
      return [this.span[axis], Math.max(last + 1 - size[axis], 0)];
    });
    const around = input.planes.map((plane) => padded(plane, size, margins, { mode: "zeros", value: 0 }));
    const planes = Array.from({ length: count }, (_, map) => {
      const { bias, sources } = this.#sources(map, input.planes.length);
      const stamped = sources.map(([channel, taps]) => ({ ...around[channel], phases: this.#phases(taps, around[channel].width) }));
      return this.#stamp(stamped, output, this.bias?.[bias] ?? 0);
    });
    return mapsOf(input, planes, output);
  }

  /** The taps that reach the cells of each phase of the stride, {weights, offsets} by row and column: others would only add 0. */
  #phases(taps, width) {
    const [[rows, columns], [down, across]] = [this.stride, this.dilation];
    const phase = (a, b) => {
      const own = taps.flatMap((line, u) => line.map((tap, v) => [tap, u * down - a, v * across - b]));
      const reaching = own.filter(([, y, x]) => y % rows === 0 && x % columns === 0);
      const offsets = Int32Array.from(reaching, ([, y, x]) => (-y / rows) * width - x / columns);
      return { weights: Float64Array.from(reaching, ([tap]) => tap), offsets };
    };
    return Array.from({ length: rows }, (_, a) => Array.from({ length: columns }, (__, b) => phase(a, b)));
  }

  /** The sums of stamps, a row at a time: every `stride`th cell of a row has neighbouring input cells under the same taps. */
  #stamp(sources, [height, width], bias) {
    const [[rows, columns], [top, left], span] = [this.stride, this.padding, this.span];
    const values = new Float32Array(height * width);
    const sums = new Float64Array(Math.ceil(width / columns));
    for (let i = 0; i < height; i++) {
      const row = Math.floor((i + top) / rows) + span[0];
      for (let j = 0; j < Math.min(columns, width); j++) {
        const count = Math.ceil((width - j) / columns);
        const column = Math.floor((j + left) / columns) + span[1];
        sums.fill(0);
        for (const { data, width: wide, phases } of sources) {
          const { weights, offsets } = phases[(i + top) % rows][(j + left) % columns];
          addTaps(sums, data, 0, count, weights, offsets, row * wide + column);
        }
        for (let n = 0, o = i * width + j; n < count; n++, o += columns) values[o] = sums[n] + bias;
      }
    }
    return values;
  }

  /** The input cells whose stamps cover an output cell along an axis, as pairs [input cell, tap]. */
  stampsOn(cell, axis, cells) {
    const pairs = [];
    for (let tap = this.window.kernelSize[axis] - 1; tap >= 0; tap--) {
      const from = (cell + this.padding[axis] - tap * this.dilation[axis]) / this.stride[axis];
      if (Number.isInteger(from) && from >= 0 && from < cells) pairs.push([from, tap]);
    }
    return pairs;
  }

  explain(input, output, [map, row, column]) {
    const size = [input.height, input.width];
    const down = this.stampsOn(row, 0, size[0]);
    const across = this.stampsOn(column, 1, size[1]);
    const { bias, sources } = this.#sources(map, input.planes.length);
    const rows = down.map(([i]) => i);
    const columns = across.map(([j]) => j);
    const parts = sources.map(([channel, taps]) => ({
      title: input.names[channel],
      kernel: "",
      channel,
      cells: patchOf(input.planes[channel], size, rows, columns, this.border),
      taps: down.map(([, u]) => across.map(([, v]) => taps[u][v])),
      stamp: taps,
    }));
    const stages = this.stagesOf(parts, { valid: null }, this.bias?.[bias]);
    return { parts, stages, value: stages.at(-1).value };
  }

  field(size, axis, [first, last]) {
    const low = (first + this.padding[axis] - spanOf(this.window, axis) + 1) / this.stride[axis];
    const high = (last + this.padding[axis]) / this.stride[axis];
    return [Math.min(Math.max(Math.ceil(low), 0), size[axis] - 1), Math.min(Math.floor(high), size[axis] - 1)];
  }

  /** The rows or columns of the output under the stamp of an input cell. */
  stampOf(cell, axis) {
    return Array.from(
      { length: this.window.kernelSize[axis] },
      (_, tap) => cell * this.stride[axis] - this.padding[axis] + tap * this.dilation[axis],
    );
  }

  facts([channels, height, width]) {
    const size = [height, width];
    const [kh, kw] = this.window.kernelSize;
    const outputs = this.weight[0].length;
    return {
      sizes: AXES.map((axis) => {
        const dilation = this.dilation[axis];
        const kernel = this.window.kernelSize[axis];
        const span = dilation === 1 ? kernel : `(${dilation}·(${kernel} − 1) + 1)`;
        const [stride, padding, more] = [this.stride[axis], this.padding[axis], this.outputPadding[axis]];
        return `(${size[axis]} − 1)·${stride} − ${padding} − ${padding} + ${span} + ${more} = ${this.#cells(size[axis], axis)}`;
      }),
      multiplyAdds: channels * height * width * outputs * kh * kw,
      multiplyAddsText: `${channels} · ${height} · ${width} input cells · ${counted(outputs, "map")} · ${kh} · ${kw} taps`,
      parameters: this.parameters,
    };
  }
}
