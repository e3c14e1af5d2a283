// Missing cells: what they leave of sums and pools, and which results are missing. Maps with missing cells have `valid`, an array for
// each plane that is 0 in missing cells, and `rule`: {mode, least}, the mode and the least share of a window that has to be valid.

import { anchorOf, patchOf } from "./geometry.js";
import { number, productsText } from "./numbers.js";
import { addProduct, padded, sumOf } from "./sums.js";

const ZERO_SUM = 1e-7; // of the sum of absolute taps: a smaller sum of taps is 0 within rounding
const DIFFERENCE_ROUNDING = 1e-12; // of the same: what remains where all taps are over missing cells
const SHARE_ROUNDING = 1e-11; // of the least valid share of a window
const NOISE = 1 / 20; // runs of missing cells for each cell, from which it takes less time to look at every window

const NO_QUOTIENT = "a missing cell is under a tap that is not 0; a kernel of sum 0 has no estimate";
const REASONS = {
  keep: "the cell itself is missing, or too few valid ones are under the window",
  fill: "too few valid cells are under the window, or a missing one under a kernel of sum 0",
  propagate: "a missing cell is under the window",
};

/** A plane with `value` in its missing cells, float64. */
export function withValue(plane, valid, value) {
  const out = new Float64Array(plane);
  for (let i = 0; i < out.length; i++) if (!valid[i]) out[i] = value;
  return out;
}

/** Put `value` where a result is missing; without `known` none is. */
export function hide(values, known, value) {
  if (known) for (let i = 0; i < values.length; i++) if (!known[i]) values[i] = value;
  return values;
}

/** The photograph as the steps of a network take it: float32, NaN in missing cells. */
export function numbersOf(photo) {
  const planes = photo.planes.map((plane, c) => hide(new Float32Array(plane), photo.valid?.[c], NaN));
  return { ...photo, planes, floats: true };
}

/** The cells of planes that are numbers; null for maps without missing cells. */
export function validOf({ valid }, planes) {
  if (!valid) return null;
  return planes.map((plane) => {
    const known = new Uint8Array(plane.length);
    for (let i = 0; i < plane.length; i++) known[i] = plane[i] === plane[i];
    return known;
  });
}

/** Whether the cell [channel, row, column] is missing. */
export function isMissing({ valid, width }, [c, row, column]) {
  return Boolean(valid) && !valid[c][row * width + column];
}

/** The number of missing cells of plane `c`, or of all for null. */
export function countMissing({ valid }, c = null) {
  let count = 0;
  for (const plane of (c === null ? valid : valid && [valid[c]]) ?? []) for (let i = 0; i < plane.length; i++) count += 1 - plane[i];
  return count;
}

/** Whether the sum of planes of taps is 0 within rounding. */
export function isZeroSum(taps) {
  return Math.abs(totalOf(taps)) <= ZERO_SUM * sizeOf(taps);
}

function totalOf(taps) {
  return taps.flat(2).reduce((sum, tap) => sum + tap, 0);
}

function sizeOf(taps) {
  return taps.flat(2).reduce((sum, tap) => sum + Math.abs(tap), 0);
}

/**
 * Which results are not missing for the cell under the anchor of a window, all of them unless missing cells stay missing. `valid` are
 * the planes that a result depends on, `place` is {window, size, pads, border, output}.
 */
export function underAnchor(valid, { window, size, pads, output }, { mode }) {
  const known = new Uint8Array(output[0] * output[1]).fill(1);
  if (mode !== "keep") return known;
  const anchor = anchorOf(window);
  const [top, left] = [0, 1].map((axis) => anchor[axis] * window.dilation[axis] - pads[axis][0]);
  const [down, across] = window.stride;
  const inside = (j) => left + j * across >= 0 && left + j * across < size[1];
  const columns = [...Array(output[1]).keys()].filter(inside);
  if (!columns.length) return known;
  for (let i = 0; i < output[0]; i++) {
    const row = top + i * down;
    if (row < 0 || row >= size[0]) continue;
    const start = row * size[1] + left;
    for (const plane of valid) {
      for (let j = columns[0]; j <= columns.at(-1); j++) known[i * output[1] + j] &= plane[start + j * across];
    }
  }
  return known;
}

/**
 * Turn `sums` of planes of taps over the valid cells into sum(k·v) / sum(k over the valid cells) · sum(k), and set `known` to 0 where a
 * result is missing. A kernel of sum 0 has no such quotient: a missing cell under one of its taps makes the result missing.
 */
export function normalise(sums, known, taps, valid, place, { mode, least }) {
  const total = totalOf(taps);
  const size = sizeOf(taps);
  if (mode === "propagate" || isZeroSum(taps)) {
    const footprint = tapsAs(taps, (tap) => (mode === "propagate" || tap !== 0 ? 1 : 0));
    const cells = paddedValid(valid, place);
    const touched = (isNoise(cells) ? touchedByNoise : sumsOfRuns)(cells, footprint, place);
    for (let i = 0; i < known.length; i++) if (touched[i]) known[i] = 0;
    return;
  }
  const oneSign = Math.abs(total) >= size * (1 - ZERO_SUM);
  const lost = overMissing(valid, taps, place);
  const lostSizes = least > 0 && !oneSign ? overMissing(valid, tapsAs(taps, Math.abs), place) : null;
  const limit = taps.flat(2).every(Number.isInteger) ? 0 : (oneSign ? DIFFERENCE_ROUNDING : ZERO_SUM) * size;
  const enough = least > 0 ? (least - SHARE_ROUNDING) * size : 0;
  for (let i = 0; i < known.length; i++) {
    const weight = total - lost[i];
    const share = lostSizes ? size - lostSizes[i] : Math.abs(weight);
    if (Math.abs(weight) <= limit || share < enough) known[i] = 0;
    else if (lost[i]) sums[i] = (total * sums[i]) / weight;
  }
}

/** For every result, the sum of the taps that are over missing cells. */
function overMissing(valid, taps, place) {
  const planes = paddedValid(valid, place);
  return (isNoise(planes) ? sumsOfProducts : sumsOfRuns)(planes, taps, place);
}

function paddedValid(valid, { size, pads, border }) {
  return valid.map((plane) => padded(plane, size, pads, { mode: border.mode, value: 1 }, Uint8Array));
}

/** Whether the missing cells are many short runs. */
function isNoise(planes) {
  let starts = 0;
  for (const { data } of planes) for (let i = 1; i < data.length; i++) starts += data[i - 1] & (1 - data[i]);
  return starts >= NOISE * planes.length * planes[0].data.length;
}

/** 1 for every result that has a missing cell under a tap. One of the first few taps usually has, and the others need no look. */
function touchedByNoise(planes, footprint, { window: { stride, dilation }, output: [hOut, wOut] }) {
  const touched = new Uint8Array(hOut * wOut);
  planes.forEach(({ data, width }, n) => {
    const offsets = footprint[n].flatMap((line, u) => line.flatMap((tap, v) => (tap ? u * dilation[0] * width + v * dilation[1] : [])));
    for (let i = 0; i < hOut; i++) {
      for (let j = 0; j < wOut; j++) {
        const start = i * stride[0] * width + j * stride[1];
        let k = 0;
        while (k < offsets.length && data[start + offsets[k]]) k++;
        if (k < offsets.length) touched[i * wOut + j] = 1;
      }
    }
  });
  return touched;
}

function sumsOfProducts(planes, taps, { window: { stride, dilation }, output }) {
  const sums = new Float64Array(output[0] * output[1]);
  planes.forEach((cells, n) => {
    const missing = { ...cells, data: new Float64Array(inverted(cells.data)) };
    addProduct(sums, output, missing, taps[n], stride, dilation);
  });
  return sums;
}

/** A run of missing cells in a row adds a tap to a run of results: it is added where that begins, and taken away where it ends. */
function sumsOfRuns(planes, taps, { window: { stride, dilation }, output: [hOut, wOut] }) {
  const places = (wOut - 1) * stride[1] + 1; // of a window along a row
  const changes = new Float64Array(hOut * (places + 1));
  const addRun = (plane, y, first, end) => {
    plane.forEach((line, u) => {
      const row = (y - u * dilation[0]) / stride[0];
      if (!(row >= 0 && row < hOut && Number.isInteger(row))) return;
      const start = row * (places + 1);
      for (let v = 0; v < line.length; v++) {
        const from = Math.max(first - v * dilation[1], 0);
        const to = Math.min(end - v * dilation[1], places);
        if (from >= to) continue;
        changes[start + from] += line[v];
        changes[start + to] -= line[v];
      }
    });
  };
  planes.forEach((cells, n) => eachMissingRun(cells, (y, first, end) => addRun(taps[n], y, first, end)));
  return sumsOfChanges(changes, places + 1, [hOut, wOut], stride[1]);
}

/** Call `work(row, first, end)` for every run of zeros in the rows of a plane. */
function eachMissingRun({ data, height, width }, work) {
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width, (y + 1) * width);
    for (let first = row.indexOf(0); first >= 0;) {
      let end = first + 1;
      while (end < width && !row[end]) end++;
      work(y, first, end);
      first = row.indexOf(0, end);
    }
  }
}

/** The sums of changes from the start of each row, at every `step`th place. */
function sumsOfChanges(changes, width, [hOut, wOut], step) {
  const sums = new Float64Array(hOut * wOut);
  for (let i = 0; i < hOut; i++) {
    let sum = 0;
    for (let x = 0; x < width - 1; x++) {
      sum += changes[i * width + x];
      if (x % step === 0) sums[i * wOut + x / step] = sum;
    }
  }
  return sums;
}

function tapsAs(taps, change) {
  return taps.map((plane) => plane.map((line) => line.map(change)));
}

/** A plane that is 1 in missing cells. */
export function inverted(valid) {
  const missing = new Uint8Array(valid.length);
  for (let i = 0; i < valid.length; i++) missing[i] = 1 - valid[i];
  return missing;
}

/** Which results of a pool are not missing: of `counts` cells of each window, `lost` ones are missing. */
export function enoughCells(counts, lost, { mode, least }) {
  const known = new Uint8Array(counts.length);
  for (let i = 0; i < counts.length; i++) {
    const share = 1 - lost[i] / counts[i];
    known[i] = mode === "propagate" ? lost[i] === 0 : share > SHARE_ROUNDING && share >= least - SHARE_ROUNDING;
  }
  return known;
}

/** Which of the cells of a plane under a window are missing, as rows; null for maps without missing cells. */
export function missingUnder({ valid, height, width }, c, rows, columns, border) {
  if (!valid) return null;
  return patchOf(valid[c], [height, width], rows, columns, { mode: border.mode, value: 1 }).values.map((line) => line.map((cell) => !cell));
}

/** Parts of a sum without their missing cells, which lose their taps. */
export function withoutMissing(parts, input, border) {
  if (!input.valid) return parts;
  return parts.map((part) => {
    const { rows, columns, values } = part.cells;
    const missing = missingUnder(input, part.channel, rows, columns, border);
    const kept = (lines) => lines.map((line, u) => line.map((value, v) => (missing[u][v] ? 0 : value)));
    return { ...part, cells: { ...part.cells, values: kept(values), missing }, taps: kept(part.taps), allTaps: part.taps };
  });
}

/** The stages of a sum of products; with missing cells, their number, both sums and the quotient. */
export function sumStages(parts, { valid, rule }) {
  const sum = parts.reduce((total, part) => total + sumOf(part.cells.values, part.taps), 0);
  const stages = [{ name: "sum", text: productsText(parts), value: sum }];
  if (!valid) return stages;
  const cells = parts.flatMap((part) => part.cells.missing.flat());
  stages.unshift(validStage(cells.length - cells.filter(Boolean).length, cells.length));
  const taps = parts.map((part) => part.allTaps);
  if (rule.mode === "propagate") return stages;
  if (isZeroSum(taps)) return hasTapOnMissing(parts) ? [...stages, { name: "missing", text: NO_QUOTIENT, value: NaN }] : stages;
  const [total, weight] = [totalOf(taps), totalOf(parts.map((part) => part.taps))];
  stages.push({ name: "weight", text: "taps over the valid cells", value: weight });
  const value = weight === total ? sum : (total * sum) / weight;
  if (weight) stages.push({ name: "quotient", text: `${number(sum)} / ${number(weight)} · ${number(total)}`, value });
  return stages;
}

function hasTapOnMissing(parts) {
  return parts.some(({ cells, allTaps }) => allTaps.some((line, u) => line.some((tap, v) => tap && cells.missing[u][v])));
}

/** The stages of a missing result: those of its sum, and the reason. */
export function withReason(stages, { rule }) {
  const counted = stages.filter(({ name }) => ["valid", "sum", "weight", "missing"].includes(name));
  return counted.at(-1)?.name === "missing" ? counted : [...counted, missingStage({ rule })];
}

export function validStage(valid, all) {
  return { name: "valid", text: `${valid} of ${all} cells`, value: valid };
}

export function missingStage({ rule }) {
  return { name: "missing", text: REASONS[rule.mode], value: NaN };
}
