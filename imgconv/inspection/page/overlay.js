// A map drawn over the photograph: red, as opaque as the map is bright. And luma, for maps of grey over a photograph in colours.

import { Elementwise, pointwise } from "./elementwise.js";
import { Misfit } from "./geometry.js";
import { hide, isMissing, missingStage } from "./missing.js";
import { number } from "./numbers.js";
import { halfEven, toLevel } from "./sums.js";

const LUMA = [19595, 38470, 7471]; // of red, green and blue, in 1/65536
const COLOUR = [1, 0, 0]; // rare in photographs, and visible on dark and light
const COLOURS = ["red", "green", "blue"];

/** The cells that are valid in all planes; null where none is missing. */
function validInAll(valid) {
  if (!valid) return null;
  return valid[0].map((_, i) => (valid.every((cells) => cells[i]) ? 1 : 0));
}

/** The grey of colours, in the same levels. */
export class Luma extends Elementwise {
  constructor() {
    super({ op: "grey", text: "grey" });
  }

  shape([, height, width]) {
    return [1, height, width];
  }

  #luma([red, green, blue], whole) {
    const sum = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2];
    return whole ? Math.floor((sum + 32768) / 65536) : sum / 65536;
  }

  apply(input) {
    const { planes, whole } = input;
    const valid = validInAll(input.valid);
    const grey = planes[0].map((_, i) => this.#luma([planes[0][i], planes[1][i], planes[2][i]], whole));
    return { ...input, planes: [hide(grey, valid, 0)], names: ["grey"], valid: valid && [valid] };
  }

  explain(input, output, [, row, column]) {
    const at = row * input.width + column;
    const value = this.#luma(
      input.planes.map((plane) => plane[at]),
      input.whole,
    );
    const sources = input.planes.map((_, c) => [input, c]);
    const explained = pointwise(this, sources, row, column, "0.299·red + 0.587·green + 0.114·blue", value);
    return isMissing(output, [0, row, column]) ? { ...explained, stages: [missingStage(input)], value: NaN } : explained;
  }
}

/** The photograph with a map over it. */
export class Overlaid extends Elementwise {
  constructor() {
    super({ op: "overlay", text: "drawn over the photograph" });
  }

  shape([, height, width]) {
    return [3, height, width];
  }

  #opacity(planes, i, largest) {
    let most = -Infinity;
    for (const plane of planes) most = plane[i] > most ? plane[i] : most;
    return Math.min(Math.max(most / largest, 0), 1);
  }

  #blend(under, opacity, c, { whole, largest }) {
    const value = under * (1 - opacity) + COLOUR[c] * largest * opacity;
    return whole ? halfEven(value) : value;
  }

  apply(input) {
    const { original, planes, largest, height, width } = input;
    if (height !== original.height || width !== original.width) {
      const sizes = `${height}×${width} cannot be drawn over a photograph of ${original.height}×${original.width}`;
      throw new Misfit(`a map of ${sizes}; use stride 1 and padding same`);
    }
    if (input.floats && !input.photo) throw new Misfit("an overlay needs pixels; use another range than raw");
    const opacity = Float64Array.from(planes[0], (_, i) => this.#opacity(planes, i, largest));
    const whole = input.valid?.length === 3 ? null : validInAll(input.valid);
    const valid = input.valid && COLOURS.map((_, c) => whole ?? input.valid[c]);
    const blended = COLOURS.map((_, c) => {
      const under = original.planes[c] ?? original.planes[0];
      return hide(
        under.map((value, i) => this.#blend(value, opacity[i], c, original)),
        valid?.[c],
        original.whole ? 0 : NaN,
      );
    });
    return { ...input, planes: blended, names: COLOURS, valid, whole: original.whole, floats: false, stretch: null };
  }

  explain(input, output, [c, row, column]) {
    const { original, planes, largest } = input;
    const at = row * input.width + column;
    const opacity = this.#opacity(planes, at, largest);
    const under = (original.planes[c] ?? original.planes[0])[at];
    const value = this.#blend(under, opacity, c, { ...original, whole: false });
    const share = number(opacity);
    const most = planes.map((plane) => number(plane[at])).join(", ");
    const stages = [
      { name: "opacity", text: `${planes.length > 1 ? `max(${most})` : most} / ${number(largest)}`, value: opacity },
      { name: COLOURS[c], text: `${number(under)} · (1 − ${share}) + ${number(COLOUR[c] * largest)} · ${share}`, value },
    ];
    if (original.whole) stages.push({ name: "rounded", text: "half to even", value: toLevel(value, largest) });
    const { parts } = pointwise(this, planes.map((_, n) => [input, n]), row, column, "", 0);
    if (isMissing(output, [c, row, column])) return { parts, stages: [missingStage(input)], value: NaN };
    return { parts, stages, value: stages.at(-1).value };
  }
}
