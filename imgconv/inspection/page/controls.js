// The settings of the selected step: every control changes the maps at once.

import { coloursOf } from "./alpha.js";
import { kernelEditor, weightEditor } from "./editors.js";
import { byId, choice, element, labelled, numberInput } from "./elements.js";

const OPERATIONS = {
  ...{ filter: "filter", pool: "pool", conv: "layer of a network" },
  ...{ conv_transpose: "transposed convolution", deform: "deformable convolution", canny: "canny" },
};
const TYPE_FIELDS = {
  filter: ["kernel", "stride", "padding", "paddingMode", "dilation", "range", "flip", "invert", "overlay"],
  deform: ["kernel", "offsets", "strength", "stride", "paddingCells", "dilation"],
  pool: ["mode", "percent", "size", "stride", "padding", "border", "dilation", "ceilMode"],
  conv: ["weights", "groups", "stride", "padding", "paddingMode", "dilation", "flip"],
  pad: ["paddingCells", "paddingMode"],
  conv_transpose: ["weights", "stride", "paddingCells", "outputPadding", "dilation"],
  canny: ["sigma", "low", "high", "invert", "overlay"],
};

const ENLARGES = [
  [0.25, 0.5, 0.25],
  [0.5, 1, 0.5],
  [0.25, 0.5, 0.25],
]; // bilinear, at stride 2

/** Build the controls of the selected step; the focus stays where it was. */
export function drawControls(model) {
  const focused = document.activeElement?.id;
  const { spec } = model;
  const form = byId("controls");
  const fields = (TYPE_FIELDS[spec.type] ?? []).map((name) => FIELDS[name](model, spec)).filter(Boolean);
  form.replaceChildren(
    ...(model.isNetwork ? [stepChoice(model)] : [operationChoice(model), branchChoice(model)].filter(Boolean)),
    ...fields,
    ...alphaField(model),
    ...missingFields(model),
  );
  if (!fields.length) form.append(element("p", { className: "quiet", textContent: "This step has no settings." }));
  if (focused) byId(focused)?.focus();
}

/** What becomes of transparency; networks have none. */
function alphaField(model) {
  const { photo, data, spec, isNetwork } = model;
  const hasAlpha = photo.alpha && !isNetwork && ["filter", "pool", "canny"].includes(spec.type);
  return hasAlpha ? [choice("alpha", "Alpha", helped(data.modes.alpha), photo.rule.alpha, (alpha) => model.setRule({ alpha }))] : [];
}

/** What becomes of missing cells; canny has no such rule. */
function missingFields(model) {
  const { photo, data, spec } = model;
  const setRule = (change) => model.setRule(change);
  if (!photo.valid || spec.type === "canny") return [];
  const mode = choice("missing", "Missing cells", helped(data.modes.missing), photo.rule.mode, (value) => setRule({ mode: value }));
  const least = numberInput("least", photo.rule.least, { min: 0, max: 1 }, (value) => setRule({ least: value }));
  return [mode, labelled("Least valid share of a window, 0 to 1", least)];
}

function stepChoice(model) {
  const options = model.steps.map((step, n) => [n + 1, `${n + 1}. ${step.title}`]);
  return choice("step", "Step", options, model.index, (value) => model.select(Number(value), model.at));
}

function branchChoice(model) {
  if (model.branches.length < 2) return null;
  return choice(
    "branch",
    "Map",
    model.branches.map(({ specs }, n) => [n, specs[0].name]),
    model.number,
    (value) => model.show(Number(value)),
  );
}

function operationChoice(model) {
  const options = Object.entries(OPERATIONS).filter(
    ([type]) => type !== "canny" || coloursOf(model.photo).length === 1 || model.data.coloured,
  );
  const chosen = (type) => (type === "filter" && model.filters ? model.filters : [[otherSpec(model, type)]]);
  return choice("operation", "Operation", options, model.spec.type, (type) => model.replace(chosen(type)));
}

/** Settings of another operation, with the kernel of the last filter. */
function otherSpec(model, type) {
  if (model.spec.type === "filter") model.filters = model.branches.map(({ specs }) => specs);
  const filter = model.filters?.[0][0] ?? defaultFilter(model);
  const [kernel] = filter.kernels;
  const { taps, divisor } = kernel;
  const plane = Array.isArray(taps[0][0]) ? taps[0] : taps;
  const weights = plane.map((line) => line.map((tap) => tap / divisor));
  const window = { stride: [1, 1], dilation: [1, 1] };
  const specs = {
    filter,
    deform: { ...filter, kernels: [{ ...kernel, taps: plane }], padding: [1, 1], offsets: "turn", strength: 1 },
    pool: {
      mode: "max",
      percent: 50,
      size: [2, 2],
      stride: [2, 2],
      padding: "valid",
      dilation: [1, 1],
      ceilMode: false,
      divisor: null,
      counted: "inside",
      paddingMode: null,
      paddingValue: 0,
    },
    conv: {
      ...{ op: "conv", text: "conv layer", label: "layer", changed: true, edited: true, ...window },
      ...{ padding: "same", paddingMode: "zeros", paddingValue: 0, flip: false, eachChannel: false, groups: 1 },
      weight: layerOf(weights, 2, coloursOf(model.photo).length),
      bias: [0, 0],
    },
    conv_transpose: {
      ...{ op: "conv_transpose", text: "conv_transpose kernel", label: "transposed convolution", changed: true, edited: true },
      ...{ ...window, stride: [2, 2], padding: [0, 0], outputPadding: [0, 0], groups: 1, eachChannel: true },
      weight: [[taps.flat(2).reduce((a, b) => a + b, 0) ? weights : ENLARGES]],
      bias: null,
    },
    canny: { sigma: 1.4, low: 0.1 * model.photo.largest, high: 0.2 * model.photo.largest, percent: false, invert: false },
  };
  return { ...specs[type], type };
}

function defaultFilter({ data }) {
  const entry = data.menu.find(({ name }) => name === "sobel_x") ?? data.menu[0];
  const window = { stride: [1, 1], padding: "same", dilation: [1, 1], paddingMode: "replicate", paddingValue: 0, flip: false };
  return { type: "filter", ...entry.maps[0], own: entry.maps[0].range, ...window, linear: false, threshold: null, invert: false };
}

/** Weights (O, I, kh, kw): each map has the kernel turned by another quarter turn, divided by the channels. */
function layerOf(taps, maps, channels) {
  const turn = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]).reverse());
  const square = taps.length === taps[0].length;
  const turned = [taps];
  while (turned.length < maps) turned.push(square ? turn(turned.at(-1)) : taps);
  return turned.slice(0, maps).map((rows) => Array.from({ length: channels }, () => rows.map((row) => row.map((tap) => tap / channels))));
}

const FIELDS = {
  kernel: (model, spec) => (model.isNetwork ? (spec.weight ? weightEditor(model) : null) : kernelEditor(model)),
  weights: (model) => weightEditor(model),
  stride: (model) => pair(model, "stride", "Stride", 1),
  dilation: (model, spec) =>
    spec.type === "pool" && spec.mode === "median" && model.isNetwork ? null : pair(model, "dilation", "Dilation", 1),
  size: (model, spec) => (spec.taps ? null : pair(model, "size", "Window size", 1)),
  outputPadding: (model) => pair(model, "outputPadding", "Output padding", 0),
  paddingCells: (model) => pair(model, "padding", "Padding", 0),
  padding: (model, spec) => paddingField(model, spec),
  paddingMode: (model, spec) => {
    const node = choice("paddingMode", "Padding holds", helped(model.data.modes.padding), spec.paddingMode, (paddingMode) =>
      model.edit({ paddingMode }, "structure"),
    );
    return spec.paddingMode === "constant" ? group(node, numeric(model, "paddingValue", "Value", {})) : node;
  },
  border: (model, spec) => {
    if (model.isNetwork) return null;
    const modes = [["", "nothing: padded cells take no part"], ...helped(model.data.modes.padding)];
    return choice("paddingMode", "Padding holds", modes, spec.paddingMode ?? "", (mode) =>
      model.edit({ paddingMode: mode || null }, "structure"),
    );
  },
  range: (model, spec) => choice("range", "Range", helped(model.data.modes.range), spec.range, (range) => model.edit({ range })),
  flip: (model) => check(model, "flip", "Flip the kernel (mathematical convolution)"),
  ceilMode: (model) => check(model, "ceilMode", "Include a last window beyond the edge"),
  invert: (model) => check(model, "invert", "Invert: black on white"),
  overlay: (model) => {
    const hasColours = coloursOf(model.photo).length > 1 || model.data.overlay;
    return hasColours ? check(model, "overlay", "Draw the map over the photograph") : null;
  },
  mode: (model, spec) =>
    model.isNetwork ? null : choice("mode", "Mode", helped(model.data.modes.pool), spec.mode, (mode) => model.edit({ mode }, "structure")),
  percent: (model, spec) => (spec.mode === "rank" ? slider(model, "percent", "Percent", 0, 100, 1) : null),
  groups: (model, spec) => groupField(model, spec),
  offsets: (model, spec) =>
    spec.weight
      ? null
      : choice(
          "offsets",
          "Offsets",
          ["none", "spread", "turn", "shear", "scatter"].map((name) => [name, name]),
          spec.offsets,
          (offsets) => model.edit({ offsets }),
        ),
  strength: (model, spec) => (spec.weight ? null : slider(model, "strength", "Strength in cells", 0, 3, 0.1)),
  sigma: (model) => slider(model, "sigma", "Sigma", 0, 5, 0.1),
  low: (model) => slider(model, "low", "Low threshold", 0, ...lengths(model), (low) => ({ low, high: Math.max(low, model.spec.high) })),
  high: (model) => slider(model, "high", "High threshold", 0, ...lengths(model), (high) => ({ high, low: Math.min(high, model.spec.low) })),
};

/** The longest gradient of a slider, and its step. */
function lengths({ spec, photo }) {
  return spec.percent ? [100, 1] : [3 * photo.largest, photo.largest / 510];
}

function helped(modes) {
  return Object.entries(modes).map(([name, { help }]) => [name, `${name}: ${help}`]);
}

function group(...nodes) {
  return element("div", { className: "group" }, ...nodes);
}

function check(model, name, text) {
  const box = element("input", { type: "checkbox", id: `set-${name}`, checked: Boolean(model.spec[name]) });
  box.addEventListener("change", () => model.edit({ [name]: box.checked }, "structure"));
  return element("label", { className: "check" }, box, element("span", { textContent: text }));
}

function numeric(model, name, text, options) {
  return labelled(
    text,
    numberInput(name, model.spec[name], options, (value) => model.edit({ [name]: value })),
  );
}

function slider(model, name, text, min, max, step, change = (value) => ({ [name]: value })) {
  const output = element("output", { textContent: +model.spec[name].toFixed(2) });
  const input = element("input", { type: "range", id: `set-${name}`, min, max, step, value: model.spec[name] });
  input.addEventListener("input", () => {
    model.edit(change(Number(input.value)));
    for (const other of ["low", "high"]) syncSlider(other, model.spec[other]);
    output.textContent = +Number(input.value).toFixed(2);
  });
  return element("label", { className: "slider" }, element("span", {}, `${text} `, output), input);
}

function syncSlider(name, value) {
  const input = byId(`set-${name}`);
  if (!input || value === undefined || input === document.activeElement) return;
  input.value = value;
  input.parentElement.querySelector("output").textContent = +value.toFixed(2);
}

/** Two numbers, for rows and columns. */
function pair(model, name, text, min) {
  const inputs = ["rows", "columns"].map((side, axis) => {
    const input = numberInput(`${name}-${side}`, model.spec[name][axis], { min, step: 1, max: 64 }, (value) => {
      const next = [...model.spec[name]];
      next[axis] = value;
      model.edit({ [name]: next });
    });
    input.setAttribute("aria-label", `${text}, ${side}`);
    return input;
  });
  return element(
    "fieldset",
    { className: "pair" },
    element("legend", { textContent: text }),
    inputs[0],
    element("span", { textContent: "×", "aria-hidden": "true" }),
    inputs[1],
  );
}

function paddingField(model, spec) {
  const named = Array.isArray(spec.padding) ? "cells" : spec.padding;
  const names = spec.type === "pool" && model.isNetwork ? ["cells"] : ["valid", "same", "full", "cells"];
  const texts = {
    valid: "valid: none",
    same: "same: the output is size / stride",
    full: "full: span − 1 on each side",
    cells: "a number of cells",
  };
  const node = choice(
    "padding",
    "Padding",
    names.map((name) => [name, texts[name]]),
    named,
    (value) => model.edit({ padding: value === "cells" ? [1, 1] : value }, "structure"),
  );
  return named === "cells" ? group(node, pair(model, "padding", "Cells of padding", 0)) : node;
}

/** Groups, and for a layer of the page's own also the number of its maps. */
function groupField(model, spec) {
  if (spec.eachChannel || !spec.groups) return null;
  const channels = model.input.planes.length;
  const divisors = [...Array(channels).keys()].map((n) => n + 1).filter((n) => channels % n === 0 && spec.weight.length % n === 0);
  const groups = choice(
    "groups",
    "Groups",
    divisors.map((n) => [n, n]),
    spec.groups,
    (value) => {
      const count = channels / Number(value);
      const weight = spec.weight.map((kernel) => Array.from({ length: count }, (_, n) => kernel[n % kernel.length]));
      model.edit({ groups: Number(value), weight, changed: true }, "structure");
    },
  );
  const maps = numberInput("maps", spec.weight.length, { min: 1, max: 12, step: 1 }, (count) => {
    const kernels = spec.weight.length < count ? layerOf(spec.weight[0][0], count, channels / spec.groups) : spec.weight;
    const weight = Array.from({ length: count }, (_, n) => spec.weight[n] ?? kernels[n]);
    const bias = Array.from({ length: count }, (_, n) => spec.bias?.[n] ?? 0);
    model.edit({ weight, bias, changed: true, groups: count % spec.groups ? 1 : spec.groups }, "structure");
  });
  return group(labelled("Maps out", maps), groups);
}
