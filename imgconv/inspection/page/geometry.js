// The geometry of sliding windows: spans, padding, output sizes, and the input cell behind each padded cell.
// Pairs are [height, width]. A window has kernelSize, stride, dilation, padding (a name or a pair), ceilMode and anchor; `around` is
// its padding [[top, bottom], [left, right]] where no rule gives it.

/** Settings that no image of this size allows. */
export class Misfit extends Error {}

export const AXES = [0, 1];

export const NO_PADS = [
  [0, 0],
  [0, 0],
];

/** The cells from the first to the last tap along an axis. */
export function spanOf(window, axis) {
  return window.dilation[axis] * (window.kernelSize[axis] - 1) + 1;
}

/** The tap that lies over the cell of an output, by default the middle one or the one before the middle. */
export function anchorOf({ anchor, kernelSize }) {
  return anchor ?? kernelSize.map((cells) => Math.floor((cells - 1) / 2));
}

/** The padded cells [[top, bottom], [left, right]] around an input of a size. */
export function padsOf(window, size) {
  if (window.around) return window.around;
  return AXES.map((axis) => {
    const span = spanOf(window, axis);
    if (Array.isArray(window.padding)) return [window.padding[axis], window.padding[axis]];
    if (window.padding === "valid") return [0, 0];
    if (window.padding === "full") return [span - 1, span - 1];
    const windows = Math.ceil(size[axis] / window.stride[axis]);
    const total = Math.max((windows - 1) * window.stride[axis] + span - size[axis], 0);
    const before = Math.floor(total / 2);
    const after = total - before;
    if (!window.anchor) return [before, after];
    const shift = window.anchor[axis] * window.dilation[axis] - Math.floor((span - 1) / 2);
    return [Math.max(before + shift, 0), Math.max(after - shift, 0)];
  });
}

/** The output size. Throws Misfit where no window fits. */
export function outputSize(window, size) {
  // an anchor moves the padding and not the size
  const pads = padsOf({ ...window, anchor: null }, size);
  return AXES.map((axis) => {
    const [before, after] = pads[axis];
    const stride = window.stride[axis];
    const room = size[axis] + before + after - spanOf(window, axis);
    if (room < 0 && !window.ceilMode) {
      throw new Misfit(`the kernel spans ${spanOf(window, axis)} cells, the padded input has ${size[axis] + before + after}`);
    }
    let count = (window.ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    if (window.ceilMode && (count - 1) * stride >= size[axis] + before) count -= 1;
    if (count < 1) throw new Misfit("no window fits the padded input");
    return count;
  });
}

/** The formulas of both output sizes with their numbers. */
export function sizeFormulas(window, size) {
  const pads = padsOf({ ...window, anchor: null }, size);
  const output = outputSize(window, size);
  return AXES.map((axis) => {
    const [before, after] = pads[axis];
    const dilation = window.dilation[axis];
    const kernel = window.kernelSize[axis];
    const span = dilation === 1 ? `${kernel}` : `(${dilation}·(${kernel} − 1) + 1)`;
    const room = size[axis] + before + after - spanOf(window, axis);
    const dropped = window.ceilMode && Math.ceil(room / window.stride[axis]) + 1 > output[axis] ? " − 1" : "";
    const word = window.ceilMode ? "ceil" : "floor";
    return `${word}((${size[axis]} + ${before} + ${after} − ${span}) / ${window.stride[axis]}) + 1${dropped} = ${output[axis]}`;
  });
}

const SOURCES = {
  zeros: () => -1,
  constant: () => -1,
  replicate: (cell, size) => Math.min(Math.max(cell, 0), size - 1),
  reflect: (cell, size) => size - 1 - Math.abs(size - 1 - Math.abs(cell)),
  symmetric: (cell, size) => (cell < 0 ? -1 - cell : 2 * size - 1 - cell),
  circular: (cell, size) => ((cell % size) + size) % size,
};

/** The input cell whose value a cell of a padded axis has; -1 for the constant value. */
export function sourceOf(mode, cell, size) {
  return cell >= 0 && cell < size ? cell : SOURCES[mode](cell, size);
}

/** Throw Misfit where a padding mode has too few cells to repeat; `spare` is how many fewer than the input's own it has. */
export function checkBorder(border, pads, size) {
  for (const axis of AXES) {
    const most = border.spare === null ? Infinity : size[axis] - border.spare;
    if (Math.max(...pads[axis]) > most) {
      throw new Misfit(`padding ${Math.max(...pads[axis])} is too wide for ${border.mode} on ${size[axis]} cells; use at most ${most}`);
    }
  }
}

/** The rows or columns of the input under the window of one output cell. */
export function positionsOf(window, pads, axis, cell) {
  const first = cell * window.stride[axis] - pads[axis][0];
  return Array.from({ length: window.kernelSize[axis] }, (_, tap) => first + tap * window.dilation[axis]);
}

/** The cells of a plane under a window: values, positions, and which of them are padding. */
export function patchOf(plane, size, rows, columns, border) {
  const inside = (cell, axis) => cell >= 0 && cell < size[axis];
  const at = (row, column) => {
    const i = sourceOf(border.mode, row, size[0]);
    const j = sourceOf(border.mode, column, size[1]);
    return i < 0 || j < 0 ? border.value : plane[i * size[1] + j];
  };
  return {
    rows,
    columns,
    values: rows.map((row) => columns.map((column) => at(row, column))),
    padded: rows.map((row) => columns.map((column) => !inside(row, 0) || !inside(column, 1))),
  };
}

/** Output cells [first, last] along an axis -> the input cells that they depend on, within the input. */
export function fieldOf(window, pads, axis, [first, last], size) {
  const start = first * window.stride[axis] - pads[axis][0];
  const end = last * window.stride[axis] - pads[axis][0] + spanOf(window, axis) - 1;
  return [Math.min(Math.max(start, 0), size - 1), Math.max(Math.min(end, size - 1), 0)];
}
