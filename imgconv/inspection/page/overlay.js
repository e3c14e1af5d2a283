// A map drawn over the photograph: red, as opaque as the map is bright. And luma, for maps of grey over a photograph in colours.

import { coloursOf, isAlpha, overBlack, withAlphaOf } from "./alpha.js";
import { Elementwise, pointwise, unchangedAlpha } from "./elementwise.js";
import { Misfit } from "./geometry.js";
import { hide, isMissing, missingStage } from "./missing.js";
import { number } from "./numbers.js";
import { halfEven, toLevel } from "./sums.js";

const LUMA = [19595, 38470, 7471]; // of red, green and blue, in 1/65536
const NEAR = 1e-9; // colours that were divided by alpha can be less than exact
const COLOUR = [1, 0, 0]; // rare in photographs, and visible on dark and light
const COLOURS = ["red", "green", "blue"];

/** The cells that are valid in all planes; null where none is missing. */
function validInAll(valid) {
  if (!valid) return null;
  return valid[0].map((_, i) => (valid.every((cells) => cells[i]) ? 1 : 0));
}

/** The grey of colours, in the same levels. */
export class Luma extends Elementwise {
  constructor(modes) {
    super({ op: "grey", text: "grey" });
    this.modes = modes;
  }

  /** Whether the maps of another step are those of this one, for the same input. */
  repeats(other) {
    return other instanceof Luma;
  }

  shape([, height, width]) {
    return [1, height, width];
  }

  /** The colours that luma is of: over black, unless alpha is kept in grey maps. */
  #colours(input) {
    return input.alpha && this.modes.alpha[input.rule.alpha].keepsInGrey ? input : overBlack(input);
  }

  #luma([red, green, blue], whole) {
    const sum = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2];
    return whole ? Math.floor((sum + 32768) / 65536 + NEAR) : sum / 65536;
  }

  apply(input) {
    const { planes, whole, alpha } = this.#colours(input);
    const valid = validInAll(input.valid);
    const grey = hide(
      planes[0].map((_, i) => this.#luma([planes[0][i], planes[1][i], planes[2][i]], whole)),
      valid,
      0,
    );
    return withAlphaOf({ planes, alpha }, { ...input, planes: [grey], names: ["grey"], valid: valid && [valid] });
  }

  explain(input, output, [c, row, column]) {
    const at = row * input.width + column;
    if (isAlpha(output, c)) return unchangedAlpha(input, row, column);
    const colours = this.#colours(input);
    const value = this.#luma(
      colours.planes.map((plane) => plane[at]),
      input.whole,
    );
    const sources = coloursOf(colours).map((_, n) => [colours, n]);
    const explained = pointwise(this, sources, row, column, "0.299·red + 0.587·green + 0.114·blue", value);
    return isMissing(output, [0, row, column]) ? { ...explained, stages: [missingStage(input)], value: NaN } : explained;
  }
}

/** The photograph with a map over it. */
export class Overlaid extends Elementwise {
  constructor() {
    super({ op: "overlay", text: "drawn over the photograph" });
    this.mayRefuseValues = true; // those of another range or size than pixels have
  }

  shape([, height, width]) {
    return [3, height, width];
  }

  /** The largest value of the colours of a map at a cell, as a share of white. */
  #opacity(colours, i, largest) {
    let most = -Infinity;
    for (const plane of colours) most = plane[i] > most ? plane[i] : most;
    return Math.min(Math.max(most / largest, 0), 1);
  }

  #blend(under, opacity, c, { whole, largest }) {
    const value = under * (1 - opacity) + COLOUR[c] * largest * opacity;
    return whole ? halfEven(value) : value;
  }

  apply(input) {
    const { original, largest, height, width } = input;
    if (height !== original.height || width !== original.width) {
      const sizes = `${height}×${width} cannot be drawn over a photograph of ${original.height}×${original.width}`;
      throw new Misfit(`a map of ${sizes}; use stride 1 and padding same`);
    }
    if (input.floats && !input.photo) throw new Misfit("an overlay needs pixels; use another range than raw");
    const edges = coloursOf(input);
    const opacity = Float64Array.from(edges[0], (_, i) => this.#opacity(edges, i, largest));
    const whole = edges.length === 3 ? null : validInAll(input.valid);
    const valid = input.valid && COLOURS.map((_, c) => whole ?? input.valid[c]);
    const under = coloursOf(original);
    const planes = COLOURS.map((_, c) => {
      const blended = (under[c] ?? under[0]).map((value, i) => this.#blend(value, opacity[i], c, original));
      return hide(blended, valid?.[c], original.whole ? 0 : NaN);
    });
    const shared = { whole: original.whole, floats: false, stretch: null };
    return withAlphaOf(original, { ...input, planes, names: COLOURS, valid, ...shared });
  }

  explain(input, output, [c, row, column]) {
    const { original, largest } = input;
    const at = row * input.width + column;
    if (isAlpha(output, c)) return unchangedAlpha(original, row, column);
    const edges = coloursOf(input);
    const opacity = this.#opacity(edges, at, largest);
    const colours = coloursOf(original);
    const under = (colours[c] ?? colours[0])[at];
    const value = this.#blend(under, opacity, c, { ...original, whole: false });
    const share = number(opacity);
    const most = edges.map((plane) => number(plane[at])).join(", ");
    const stages = [
      { name: "opacity", text: `${edges.length > 1 ? `max(${most})` : most} / ${number(largest)}`, value: opacity },
      { name: COLOURS[c], text: `${number(under)} · (1 − ${share}) + ${number(COLOUR[c] * largest)} · ${share}`, value },
    ];
    if (original.whole) stages.push({ name: "rounded", text: "half to even", value: toLevel(value, largest) });
    const { parts } = pointwise(
      this,
      edges.map((_, n) => [input, n]),
      row,
      column,
      "",
      0,
    );
    if (isMissing(output, [c, row, column])) return { parts, stages: [missingStage(input)], value: NaN };
    return { parts, stages, value: stages.at(-1).value };
  }
}
