// Editors of kernels: the menu of the registry, a grid of taps, rotation, size and divisor; and the weights and biases of a layer.

import { choice, element, labelled, numberInput } from "./elements.js";
import { flipped, matrixText, readMatrix, resized, rotated } from "./kernels.js";

const LARGEST = 15;

/** The kernel of a filter. */
export function kernelEditor(model) {
  const { spec, data } = model;
  const nodes = [registryMenu(model)];
  const [kernel] = spec.kernels;
  if (spec.kernels.length > 1) {
    const members = spec.kernels.map(({ name }, n) => [n, name]);
    nodes.push(
      choice("member", "Edit one of its kernels", [["", `all ${members.length}, combined by ${spec.combine}`], ...members], "", (n) =>
        edited(model, spec.kernels[n]),
      ),
    );
    return element("div", { className: "editor" }, ...nodes);
  }
  if (Array.isArray(kernel.taps[0][0]) || kernel.taps.length > LARGEST || kernel.taps[0].length > LARGEST) {
    nodes.push(element("p", { className: "quiet", textContent: `${kernel.name}: too large to edit here` }));
    return element("div", { className: "editor" }, ...nodes);
  }
  const help = data.menu.find(({ name }) => name === spec.reference)?.help;
  if (help) nodes.push(element("p", { className: "quiet", textContent: help }));
  nodes.push(
    grid(kernel.taps, (taps) => edited(model, { ...kernel, taps }, "maps")),
    actions(model, kernel),
    sizes(model, kernel),
    matrix(model, kernel),
  );
  return element("div", { className: "editor" }, ...nodes);
}

function registryMenu(model) {
  const { spec, data } = model;
  const groups = ["kernel", "bank"].map((kind) =>
    element(
      "optgroup",
      { label: `${kind}s` },
      ...data.menu
        .filter((entry) => entry.kind === kind)
        .map(({ name }) => element("option", { value: name, textContent: name, selected: spec.reference === name })),
    ),
  );
  const own = element("option", {
    value: "",
    textContent: spec.reference ?? "a matrix of your own",
    selected: !data.menu.some(({ name }) => name === spec.reference),
  });
  const select = element("select", { id: "set-kernel" }, own, ...groups);
  select.addEventListener("change", () => {
    const entry = data.menu.find(({ name }) => name === select.value);
    if (entry && spec.type === "filter") model.replace(entry.maps.map((map) => [{ ...spec, ...map, own: map.range }]));
    else if (entry) model.edit({ ...entry.maps[0], kernels: [entry.maps[0].kernels[0]] }, "structure");
  });
  return labelled("Kernel", select);
}

/** Make a kernel the only one of the step: then it is a typed matrix, without the offset and the anchor of a named one. */
function edited(model, { taps, divisor }, event = "structure") {
  const kernel = { name: "matrix", taps, divisor, offset: 0, bias: 0, anchor: null };
  model.edit({ kernels: [kernel], name: "matrix", reference: null, combine: "none" }, event);
}

/** A grid of numbers. */
function grid(taps, onChange) {
  const now = taps.map((line) => [...line]);
  const node = element("div", { className: "grid", role: "group", "aria-label": "taps of the kernel" });
  node.style.gridTemplateColumns = `repeat(${taps[0].length}, minmax(0, 1fr))`;
  taps.forEach((line, u) =>
    line.forEach((tap, v) => {
      const input = numberInput(`tap-${u}-${v}`, +tap.toPrecision(6), {}, (value) => {
        now[u][v] = value;
        onChange(now.map((row) => [...row]));
      });
      input.setAttribute("aria-label", `tap in row ${u}, column ${v}`);
      node.append(input);
    }),
  );
  return node;
}

function actions(model, kernel) {
  const { taps } = kernel;
  const act = (text, change) => {
    const button = element("button", { type: "button", id: `set-${text.toLowerCase().replace(/\W/g, "")}`, textContent: text });
    button.addEventListener("click", () => edited(model, { ...kernel, ...change() }));
    return button;
  };
  const turn = taps.length === 3 && taps[0].length === 3 ? "45°" : "90°";
  return element(
    "div",
    { className: "buttons" },
    act(`Rotate ${turn}`, () => ({ taps: rotated(taps) })),
    act("Turn 180°", () => ({ taps: flipped(taps) })),
    act("Negative", () => ({ taps: taps.map((row) => row.map((tap) => -tap || 0)) })),
  );
}

function sizes(model, kernel) {
  const { taps } = kernel;
  const options = { min: 1, max: LARGEST, step: 1 };
  const height = numberInput("kernel-rows", taps.length, options, (rows) =>
    edited(model, { ...kernel, taps: resized(taps, [rows, taps[0].length]) }),
  );
  const width = numberInput("kernel-columns", taps[0].length, options, (columns) =>
    edited(model, { ...kernel, taps: resized(taps, [taps.length, columns]) }),
  );
  const divisor = numberInput(
    "divisor",
    kernel.divisor,
    {},
    (value) => value && edited(model, { ...model.spec.kernels[0], divisor: value }, "maps"),
  );
  return element("div", { className: "group three" }, labelled("Rows", height), labelled("Columns", width), labelled("Divisor", divisor));
}

function matrix(model, kernel) {
  const input = element("input", { type: "text", id: "set-matrix", value: matrixText(kernel.taps, kernel.divisor), spellcheck: false });
  input.addEventListener("change", () => {
    const read = readMatrix(input.value);
    input.setAttribute("aria-invalid", String(!read));
    if (read) edited(model, read);
  });
  return labelled("As text: rows ; / divisor", input);
}

/** The weights of one map from one channel, and the bias of the map. */
export function weightEditor(model) {
  const { spec, input } = model;
  const [map] = model.at;
  const transposed = spec.type === "conv_transpose";
  const { kernel, channel, count } = position(model, spec, map, input, transposed);
  const nodes = [];
  const channels = Array.from({ length: count }, (_, n) => [n, n + 1]);
  const pick = choice("from", "Weights from channel", channels, channel, (value) => {
    model.from = Number(value);
    model.dispatchEvent(new Event("structure"));
  });
  if (count > 1) nodes.push(pick);
  const taps = transposed ? spec.weight[channel][kernel] : spec.weight[kernel][channel];
  const replaced = (rows) =>
    spec.weight.map((planes, a) =>
      planes.map((plane, b) => {
        const same = transposed ? a === channel && b === kernel : a === kernel && b === channel;
        return same ? rows : model.spec.weight[a][b];
      }),
    );
  const title = spec.eachChannel
    ? `weights of kernel ${kernel + 1}`
    : `weights of map ${map + 1}${count > 1 ? ` from channel ${channel + 1}` : ""}`;
  nodes.push(element("p", { className: "quiet", textContent: title }));
  if (taps.length <= LARGEST && taps[0].length <= LARGEST) {
    nodes.push(grid(taps, (rows) => model.edit({ weight: replaced(rows), changed: true })));
  }
  if (spec.bias) {
    const at = spec.eachChannel ? kernel : map;
    const edited = (value) => model.edit({ bias: spec.bias.map((_, n) => (n === at ? value : model.spec.bias[n])), changed: true });
    nodes.push(labelled(`Bias of map ${map + 1}`, numberInput("bias", spec.bias[at], {}, edited)));
  }
  return element("div", { className: "editor" }, ...nodes);
}

function position(model, spec, map, input, transposed) {
  const channels = input.planes.length;
  if (spec.eachChannel) return { kernel: Math.floor(map / channels), channel: 0, count: 1 };
  const count = transposed ? spec.weight.length : spec.weight[0].length;
  const channel = Math.min(model.from ?? 0, count - 1);
  return { kernel: transposed ? map % spec.weight[0].length : map, channel, count };
}
