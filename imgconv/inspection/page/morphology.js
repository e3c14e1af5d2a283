// Steps of mathematical morphology: erode and dilate are pools, the others are made of both.

import { fieldOf, padsOf } from "./geometry.js";
import { flipped } from "./kernels.js";
import { isMissing, missingStage, validOf } from "./missing.js";
import { number } from "./numbers.js";
import { Pool } from "./pool.js";
import { subtract } from "./sums.js";

const PARTS = {
  erode: (x, erode) => [erode(x)],
  dilate: (x, erode, dilate) => [dilate(x)],
  open: (x, erode, dilate) => [dilate(erode(x))],
  close: (x, erode, dilate) => [erode(dilate(x))],
  tophat: (x, erode, dilate) => [x, dilate(erode(x))],
  blackhat: (x, erode, dilate) => [erode(dilate(x)), x],
  gradient: (x, erode, dilate) => [dilate(x), erode(x)],
};
const TEXTS = {
  open: "dilated minimum",
  close: "eroded maximum",
  tophat: "input − opened",
  blackhat: "closed − input",
  gradient: "maximum − minimum",
};

/** A step with a window of any shape; dilation uses it turned by 180 degrees. */
export class Morphology {
  constructor(settings, modes) {
    Object.assign(this, settings);
    const sliding = { size: null, stride: [1, 1], padding: "same", dilation: [1, 1], ceilMode: false };
    const window = { ...sliding, percent: 0, divisor: null, counted: "inside" };
    this.eroding = new Pool({ ...settings, ...window, mode: "min" }, modes);
    const around = padsOf(this.eroding.window, this.eroding.window.kernelSize).map(([before, after]) => [after, before]);
    this.dilating = new Pool({ ...settings, ...window, mode: "max", taps: flipped(settings.taps), around }, modes);
    this.single = { erode: this.eroding, dilate: this.dilating }[this.op];
    this.window = this.eroding.window;
    this.stride = [1, 1];
    this.border = this.eroding.border;
  }

  get title() {
    return this.text;
  }

  get span() {
    return this.eroding.span.map((cells) => (["open", "close", "tophat", "blackhat"].includes(this.op) ? 2 * cells - 1 : cells));
  }

  shape(dims) {
    return this.eroding.shape(dims);
  }

  apply(input) {
    const floats = { ...input, planes: input.planes.map((plane) => new Float32Array(plane)), whole: false, floats: true };
    const [first, second] = PARTS[this.op](
      floats,
      (maps) => this.eroding.apply(maps),
      (maps) => this.dilating.apply(maps),
    );
    const planes = second ? first.planes.map((plane, c) => subtract(plane.slice(), second.planes[c])) : first.planes;
    return { ...floats, planes, stretch: null, valid: validOf(input, planes) };
  }

  explain(input, output, at) {
    if (this.single) return this.single.explain({ ...input, whole: false }, output, at);
    const [c, row, column] = at;
    const value = output.planes[c][row * output.width + column];
    const { parts } = this.eroding.explain({ ...input, whole: false }, output, at);
    parts[0].winners = null;
    const text = `${TEXTS[this.op]} of windows around ${number(column)},${number(row)}`;
    return { parts, stages: [isMissing(output, at) ? missingStage(input) : { name: this.op, text, value }], value };
  }

  field(size, axis, [first, last]) {
    const pads = padsOf(this.window, size);
    const once = fieldOf(this.window, pads, axis, [first, last], size[axis]);
    return this.span[axis] === this.eroding.span[axis] ? once : fieldOf(this.window, pads, axis, once, size[axis]);
  }

  facts(dims) {
    return this.eroding.facts(dims);
  }
}
