// One convolution as plain matrices on a few cells around the window: im2col and its product, and the kernel matrix.

import { element, tableOf } from "./elements.js";
import { AXES, outputSize, padsOf, patchOf, spanOf } from "./geometry.js";
import { missingUnder } from "./missing.js";
import { short } from "./numbers.js";
import { isAdded } from "./sums.js";

const MOST_CELLS = 8; // along a side: a kernel matrix has a column for every cell
const WINDOWS = 3;
const MOST_UPRIGHT = 40; // columns of numbers that fit across a sheet of paper; more are turned there

/** Whether a step is a convolution, which matrices show; pools, stamps and moved taps are none. */
export function hasMatrices({ window, gradientAt, stampOf, points }) {
  return Boolean(window) && !gradientAt && !stampOf && !points;
}

/** The tables of im2col (`form` "im2col") or of the kernel matrix, or a sentence where there are none. */
export function matrixTables(model, explained, form) {
  const { step, input } = model;
  const parts = explained.parts.filter((part) => part.taps);
  if (!parts.length) return [note("No taps are multiplied here.")];
  if (parts.length * parts[0].taps.flat().length > 81 || AXES.some((axis) => spanOf(step.window, axis) > MOST_CELLS)) {
    return [
      note(`A kernel over more than ${MOST_CELLS}×${MOST_CELLS} cells makes matrices that are too large to show; choose a smaller one.`),
    ];
  }
  const windows = windowsAround(step.window, input, model.at);
  const cells = windows.map((axis) => axis.cells);
  if (
    parts.some(({ channel }) =>
      missingUnder(input, channel, ...cells, step.border)
        ?.flat()
        .includes(true),
    )
  ) {
    return [note("A missing cell is under one of these windows, so that each has a quotient of its own; move to other cells.")];
  }
  const kernels = [...new Set(parts.map(({ kernel }) => kernel))];
  return kernels.flatMap((name) => {
    const own = parts.filter(({ kernel }) => kernel === name);
    return [...(name ? [element("h3", { textContent: name })] : []), ...(form === "im2col" ? im2col : kernelMatrix)(model, own, windows)];
  });
}

function note(text) {
  return element("p", { className: "quiet", textContent: text });
}

/** The output cells along each axis whose windows are shown: up to three, and the rows and columns of the input under them. */
function windowsAround(window, { height, width }, [, ...at]) {
  const size = [height, width];
  const pads = padsOf(window, size);
  const output = outputSize(window, size);
  return AXES.map((axis) => {
    const fitting = Math.floor((MOST_CELLS - spanOf(window, axis)) / window.stride[axis]) + 1;
    const count = Math.min(WINDOWS, fitting, output[axis]);
    const first = Math.min(Math.max(at[axis] - Math.floor(count / 2), 0), output[axis] - count);
    const start = first * window.stride[axis] - pads[axis][0];
    const cells = spanOf(window, axis) + (count - 1) * window.stride[axis];
    return {
      outputs: Array.from({ length: count }, (_, n) => first + n),
      cells: Array.from({ length: cells }, (_, n) => start + n),
      start,
    };
  });
}

/** The windows as pairs of output cells, with the selected one marked. */
function pairs([down, across], [, row, column]) {
  return down.outputs.flatMap((i) => across.outputs.map((j) => ({ i, j, selected: i === row && j === column })));
}

function im2col(model, parts, windows) {
  const list = pairs(windows, model.at);
  const { window } = model.step;
  const pads = padsOf(window, [model.input.height, model.input.width]);
  const columns = list.map(({ i, j }) => parts.flatMap(({ channel, taps }) => patchAt(model, channel, window, pads, [i, j], taps).flat()));
  const weights = parts.flatMap(({ taps }) => taps.flat());
  const mark = (n) => (list[n].selected ? "selected" : "");
  const header = ["", ...list.map(({ i, j }, n) => [`${j},${i}`, { className: mark(n) }])];
  const rows = weights.map((weight, k) => [
    [short(weight), { className: tone(weight) }],
    ...columns.map((column, n) => [short(column[k]), { className: mark(n) }]),
  ]);
  const sums = columns.map((column) => column.reduce((sum, value, k) => sum + value * weights[k], 0));
  const last = ["sum", ...sums.map((sum, n) => [short(sum), { className: `total ${mark(n)}` }])];
  const about =
    `im2col copies the ${weights.length} cells under each window into a column. ` +
    `The taps, as one row, times this matrix give the sum of every window: ` +
    `${weights.length} taps × a ${weights.length}×${list.length} matrix.`;
  return [
    note(about),
    scrolled(tableOf([header, ...rows, last], { headers: true, caption: "taps, and one column for each output cell (column,row)" })),
  ];
}

function kernelMatrix(model, parts, windows) {
  const list = pairs(windows, model.at);
  const [down, across] = windows;
  const [{ channel, taps }] = parts;
  const flat = valuesAt(model, channel, down.cells, across.cells).flat();
  const positions = down.cells.flatMap((i) => across.cells.map((j) => `${j},${i}`));
  const rows = list.map(({ i, j, selected }) => {
    const line = kernelRow(taps, model.step.window, [i - down.outputs[0], j - across.outputs[0]], down.cells.length, across.cells.length);
    const adds = (tap, n) => tap !== null && isAdded(tap, flat[n]);
    const sum = line.reduce((total, tap, n) => (adds(tap, n) ? total + tap * flat[n] : total), 0);
    const className = selected ? "selected" : "";
    return [
      [`${j},${i}`, { className }],
      ...line.map((tap, n) => [adds(tap, n) ? short(tap) : "·", { className: `${tone(tap)} ${className}` }]),
      [`= ${short(sum)}`, { className: `total ${className}` }],
    ];
  });
  const header = ["", ...positions, "sum"];
  const values = ["cells", ...flat.map((value) => [short(value), {}]), ""];
  const more = parts.length > 1 ? ` It shows the first of ${parts.length} channels; the others add matrices of the same form.` : "";
  const about =
    "Each row of the kernel matrix holds the taps at the cells under one window, and 0 elsewhere. " +
    `The matrix (${list.length}×${flat.length}) times the column of cells gives all sums at once; ` +
    `its transpose is the transposed convolution.${more}`;
  return [
    note(about),
    scrolled(
      tableOf([header, values, ...rows], {
        headers: true,
        className: flat.length > MOST_UPRIGHT ? "dense turned" : "dense",
        caption: "one row for each output cell, one column for each input cell (column,row)",
      }),
    ),
  ];
}

/** A row of the kernel matrix: the taps at the cells under the window of the output cell `at`, and null elsewhere. */
function kernelRow(taps, { stride, dilation }, at, height, width) {
  const line = new Array(height * width).fill(null);
  for (const [u, row] of taps.entries()) {
    const y = at[0] * stride[0] + u * dilation[0];
    for (const [v, tap] of row.entries()) line[y * width + at[1] * stride[1] + v * dilation[1]] = tap;
  }
  return line;
}

function patchAt(model, channel, window, pads, at, taps) {
  const [rows, columns] = AXES.map((axis) =>
    taps0(axis === 0 ? taps.length : taps[0].length, at[axis] * window.stride[axis] - pads[axis][0], window.dilation[axis]),
  );
  return valuesAt(model, channel, rows, columns);
}

/** The cells that a step reads. */
function valuesAt({ step, input }, channel, rows, columns) {
  if (step.cellsOf) return step.cellsOf(input, channel, rows, columns).values;
  return patchOf(input.planes[channel], [input.height, input.width], rows, columns, step.border ?? { mode: "zeros", value: 0 }).values;
}

function taps0(count, first, step) {
  return Array.from({ length: count }, (_, n) => first + n * step);
}

function tone(value) {
  return value > 0 ? "positive" : value < 0 ? "negative" : "zero";
}

/** A table in a region that scrolls, by keyboard too. */
export function scrolled(table) {
  return element("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": table.caption?.textContent || "table" }, table);
}
