// The steps of a page from their settings, their maps, receptive fields and chains of sums.

import { coloursOf, overBlack, withoutAlpha } from "./alpha.js";
import { cannyStages } from "./canny.js";
import { Deformed, OFFSETS } from "./deform.js";
import { Across, AdaptivePool, Elementwise } from "./elementwise.js";
import { Filter } from "./filter.js";
import { AXES } from "./geometry.js";
import { Conv, ConvTranspose } from "./layers.js";
import { countMissing, isMissing, numbersOf, withReason } from "./missing.js";
import { Morphology } from "./morphology.js";
import { grouped, number } from "./numbers.js";
import { Luma, Overlaid } from "./overlay.js";
import { Pool } from "./pool.js";
import { Vector } from "./vectors.js";

const OF_TYPE = {
  filter: (spec, modes, photo) => overlaid(spec, modes, photo, [new Filter(spec, modes)]),
  deform: (spec) => [deformed(spec)],
  pool: (spec, modes) => [new Pool(spec, modes)],
  morphology: (spec, modes) => [new Morphology(spec, modes)],
  conv: (spec, modes) => [new Conv(spec, modes)],
  pad: (spec, modes) => [new Conv(spec, modes)],
  conv_transpose: (spec, modes) => [new ConvTranspose(spec, modes)],
  elementwise: (spec) => [new Elementwise(spec)],
  across: (spec) => [new Across(spec)],
  adaptive: (spec) => [new AdaptivePool(spec)],
  vector: (spec) => [new Vector(spec)],
  canny: (spec, modes, photo) => overlaid({ ...spec, grey: true }, modes, photo, cannyStages(spec, photo)),
};

/** The steps of a list of settings; each has `spec`, the number of its settings in the list. */
export function stepsOf(specs, modes, photo) {
  return specs.flatMap((spec, n) => OF_TYPE[spec.type](spec, modes, photo).map((step) => Object.assign(step, { spec: n })));
}

/** Steps, after luma of a photograph in colours if they need it, and before what draws their map over the photograph. */
function overlaid({ grey, overlay }, modes, photo, steps) {
  return [...(grey && coloursOf(photo).length > 1 ? [new Luma(modes)] : []), ...steps, ...(overlay ? [new Overlaid()] : [])];
}

/** A step of a network, or one of the page's own: a kernel over each channel, with named offsets. */
function deformed(spec) {
  if (spec.weight) return new Deformed({ ...spec, divisor: 1 });
  const [{ taps, divisor }] = spec.kernels;
  const size = [taps.length, taps[0].length];
  const offset = taps.flatMap((line, u) => line.flatMap((_, v) => OFFSETS[spec.offsets]([u, v], size, spec.strength)));
  return new Deformed({ ...spec, weight: [[taps]], groups: 1, eachChannel: true, bias: null, offset, mask: null, divisor });
}

/** The shape of maps: [channels, height, width], or [length] of a vector. */
export function shapeOf(maps) {
  return maps.vector ? [maps.width] : [maps.planes.length, maps.height, maps.width];
}

/** The photograph as the first step of a list of settings takes it: steps of networks take numbers without alpha, others levels. */
export function inputOf(photo, [{ op, type, kernels }], modes) {
  if (op || ["conv", "deform", "conv_transpose"].includes(type)) return numbersOf(withoutAlpha(photo));
  const overChannels = type === "filter" && Array.isArray(kernels[0].taps[0][0]);
  const input = photo.alpha && (overChannels || !modes.alpha[photo.rule.alpha].keeps) ? overBlack(photo) : photo;
  return { ...input, original: input };
}

/** The shapes of the photograph and of the maps of every step. Throws Misfit. */
export function shapesOf(input, steps) {
  const shapes = [shapeOf(input)];
  for (const step of steps) shapes.push(step.shape(shapes.at(-1)));
  return shapes;
}

/**
 * The photograph and the maps of every step, of which the first ones are `known`. The others are computed when they are first read, but
 * those of steps that may refuse the values of a map at once. Throws Misfit.
 */
export function evaluate(known, steps) {
  const results = [...known];
  steps.slice(known.length - 1).forEach((step, k) => computeLater(results, known.length + k, step));
  const last = steps.findLastIndex((step) => step.mayRefuseValues);
  if (last >= 0) results.at(last + 1);
  return results;
}

function computeLater(results, n, step) {
  const keep = (value) => Object.defineProperty(results, n, { value, enumerable: true });
  const get = () => keep(step.apply(results[n - 1]))[n];
  Object.defineProperty(results, n, { get, enumerable: true, configurable: true });
}

/** The receptive field [height, width] of a cell after each step, in cells of the photograph; `shapes` are those of all maps. */
export function receptiveFields(steps, shapes) {
  const photo = shapes[0].slice(1);
  let cells = [1, 1];
  let jump = [1, 1];
  let all = false;
  return steps.map((step, n) => {
    const back = step.outputPadding !== undefined;
    const { span, stride = [1, 1] } = step.windowsIn?.(shapes[n].slice(1)) ?? step;
    cells = AXES.map((axis) => cells[axis] + (span[axis] - 1) * jump[axis]);
    jump = AXES.map((axis) => (back ? jump[axis] / stride[axis] : jump[axis] * stride[axis]));
    all ||= shapes[n + 1].length === 1 || Boolean(step.seesAll);
    return all ? photo : cells.map((cell) => Math.ceil(cell));
  });
}

/** The cells [[first, last] of rows, of columns] of the photograph and of every map that the cell `at` of map `index` depends on. */
export function fieldsOf(steps, results, index, [, row, column]) {
  const fields = new Array(index + 1);
  fields[index] = [
    [row, row],
    [column, column],
  ];
  for (let n = index; n > 0; n--) {
    const { height, width } = results[n - 1];
    fields[n - 1] = AXES.map((axis) => steps[n - 1].field([height, width], axis, fields[n][axis]));
  }
  return fields;
}

/** The input cell that counts most in an explanation: [channel, row, column], null where there is none. */
function strongest({ parts }) {
  let best = null;
  let most = -1;
  for (const { cells, taps, winners, channel } of parts) {
    cells.values.forEach((line, u) =>
      line.forEach((value, v) => {
        const weight = Math.abs(winners ? winners[u][v] : taps ? taps[u][v] * value : 1);
        if (cells.padded[u][v] || cells.missing?.[u][v] || weight <= most) return;
        most = weight;
        best = [channel, cells.rows[u], cells.columns[v]];
      }),
    );
  }
  return best;
}

/** The arithmetic of the cell `at` of map `index`, which ends with the reason for a missing one. */
export function explainedAt(steps, results, index, at) {
  const explained = steps[index - 1].explain(results[index - 1], results[index], at);
  if (!isMissing(results[index], at) || explained.stages.at(-1)?.name === "missing") return explained;
  return { ...explained, stages: withReason(explained.stages, { rule: { mode: "propagate" } }) };
}

/** From a cell back to the photograph, which has no stages, through the strongest cell of each window: [{index, at, stages}]. */
export function chainOf(steps, results, index, at) {
  const chain = [];
  for (let n = index, cell = at; n > 0 && cell; n--) {
    const explained = explainedAt(steps, results, n, cell);
    chain.push({ index: n, at: cell, stages: explained.stages });
    cell = strongest(explained);
    if (cell && n === 1) chain.push({ index: 0, at: cell, stages: [] });
  }
  return chain;
}

/** A cell as text: column and row, as `--at` takes them, and the map where there are several. */
export function cellText(maps, [c, row, column]) {
  return `${maps.planes.length > 1 ? `${maps.names[c]} ` : ""}${column},${row}`;
}

/** The value of the cell `at` = [channel, row, column] as text. */
export function valueText(maps, at) {
  const [c, row, column] = at;
  return isMissing(maps, at) ? "missing" : number(maps.planes[c][row * maps.width + column]);
}

/** A cell and its value as text. */
export function cellValueText(maps, at) {
  return `${cellText(maps, at)} = ${valueText(maps, at)}`;
}

/** How many cells of plane `c`, or of all for null, are missing, as the end of a caption. */
export function missingText(maps, c) {
  const count = countMissing(maps, c);
  return count ? `, ${grouped(count)} missing` : "";
}

/** The output cell along an axis whose window has its middle nearest to an input cell. */
export function cellUnder(step, input, output, axis, cell) {
  const sizes = [
    [input.height, output.height],
    [input.width, output.width],
  ][axis];
  const size = [input.height, input.width];
  let nearest = Math.floor((cell * sizes[1]) / sizes[0]);
  if (step.stampOf) nearest = step.stampOf(cell, axis)[Math.floor((step.window.kernelSize[axis] - 1) / 2)];
  else if (step.window) {
    const before = step.facts([input.planes.length, ...size]).pads[axis][0];
    nearest = Math.round((cell + before - (step.span[axis] - 1) / 2) / step.stride[axis]);
  }
  return Math.min(Math.max(nearest, 0), sizes[1] - 1);
}
