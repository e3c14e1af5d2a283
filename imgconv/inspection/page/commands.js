// The command line, or the lines of Python, that give the image that the page shows.

import { rounded, withoutAlpha } from "./alpha.js";
import { copyButton, byId, element } from "./elements.js";
import { imageFile, isInterleaved, markedImage, maskFile, npy, pam, save, weightsFile } from "./files.js";
import { matrixText } from "./kernels.js";

const PHOTO = "photo.npy";
const WITH_ALPHA = "photo.pam"; // a .npy file has no alpha
const MASK = "mask.npy";

/** Show the commands, and buttons for the files that they read. */
export function drawCommand(model) {
  const { lines, files, title = "The same image from the command line" } = commandOf(model);
  byId("command-title").textContent = title;
  const nodes = lines.map((line) => {
    const code = element("code", { textContent: line });
    return element("div", { className: "line" }, code, copyButton(line));
  });
  const buttons = element("div", { className: "buttons" });
  const file = (name, blob) => {
    const button = element("button", { type: "button", textContent: `Save ${name}` });
    button.addEventListener("click", () => save(blob(), name));
    buttons.append(button);
  };
  if (lines.some((line) => line.includes(PHOTO))) file(PHOTO, () => imageFile(rounded(withoutAlpha(photoToSave(model).image))));
  if (lines.some((line) => line.includes(WITH_ALPHA))) file(WITH_ALPHA, () => pam(rounded(model.photo)));
  if (lines.some((line) => line.includes(MASK))) file(MASK, () => maskFile(model.photo));
  for (const [name, blob] of files) file(name, blob);
  byId("lines").replaceChildren(...nodes, ...(buttons.children.length ? [buttons] : []));
}

/** The lines, the files that they read as [name, function that gives it], and a title for those that are no command. */
function commandOf(model) {
  const { data, spec, photo } = model;
  const files = [];
  if (model.isNetwork || spec.type === "conv" || spec.type === "conv_transpose") {
    const file = isRead(model) ? data.file : PHOTO;
    const words = model.branch.specs.map((each, n) => `-s ${quoted(stepText(each, n + 1, files))}`);
    const missing = missingWords(model).map((word) => ` ${word}`);
    return { lines: [`imgconv run ${file} ${words.join(" ")}${missing.join("")} --range raw -o maps.npy`], files };
  }
  if (spec.type === "filter" && !spec.reference && !isMatrix(spec)) return { lines: [], files, title: "No reference names this kernel" };
  if (spec.type === "deform") return { lines: [python(model).join("\n")], files, title: "The same maps in Python" };
  const file = isRead(model) ? data.file : photo.alpha ? WITH_ALPHA : PHOTO;
  if (file === WITH_ALPHA && !photo.whole) return { lines: [], files }; // PAM has no floats
  const words = { filter: filterWords, pool: poolWords, canny: cannyWords }[spec.type](spec, data, file);
  const name = spec.range === "raw" && spec.type === "filter" ? "map.npy" : photo.whole ? "map.png" : "map.tiff"; // PNG has no floats
  words.push(photo.rule.alpha !== "auto" && `--alpha ${photo.rule.alpha}`, ...missingWords(model));
  return { lines: [`imgconv ${words.filter(Boolean).join(" ")}${spec.several ? "" : ` -o ${name}`}`], files };
}

/** Whether the kernel of a filter can be typed as a matrix: that has no offset, bias, anchor or channels of its own. */
function isMatrix({ kernels }) {
  const [{ taps, offset, bias, anchor }] = kernels;
  return kernels.length === 1 && !offset && !bias && !anchor && !Array.isArray(taps[0][0]);
}

/** Whether the command reads the file of the photograph. A layer reads another one for grey of colours: it has no option for that. */
function isRead({ data, spec, isNetwork }) {
  return data.stored && (isNetwork || !spec.op || !(data.luma || data.overBlack));
}

/**
 * The photograph for a file, and the option that says which of its cells are missing: a mask, or where each channel has cells of its own
 * a value that no other cell has.
 */
function photoToSave({ photo }) {
  if (!photo.valid) return { image: photo, words: [] };
  if (photo.masks === 1) return { image: photo, words: [`--mask ${MASK}`] };
  const { image, value } = markedImage(photo);
  return { image, words: [`--nodata ${value}`] };
}

/** The options for missing cells; canny has no rule for them. */
function missingWords(model) {
  const { data, photo, spec } = model;
  const words = isRead(model) ? [data.missing] : photoToSave(model).words;
  if (!photo.valid || spec.type === "canny") return words.filter(Boolean);
  const { mode, least } = photo.rule;
  return [...words, mode !== "keep" && `--missing ${mode}`, least > 0 && `--min-valid ${least}`].filter(Boolean);
}

function filterWords(spec, data, file) {
  const { command, grey } = data;
  const edge = command === "edge";
  const [kernel] = spec.kernels;
  const sum = kernel.taps.flat(2).reduce((a, b) => a + b, 0);
  const own = edge ? "abs" : spec.reference ? spec.own : Math.abs(sum) < 1e-9 ? "abs" : "clip";
  return [
    edge ? "edge" : "filter",
    file,
    `-k ${quoted(spec.reference ?? matrixText(kernel.taps, kernel.divisor))}`,
    !edge && (grey || spec.grey) && "--grey",
    data.kernelsFile && `--kernels-file ${data.kernelsFile}`,
    ...windowWords(spec, "same"),
    spec.paddingMode !== "replicate" && borderWord(spec),
    spec.flip && "--flip",
    spec.linear && "--linear",
    spec.range !== own && `--range ${spec.range}`,
    ...(spec.range === "raw" ? [] : [spec.threshold !== null && `--threshold ${spec.threshold}`, ...flags(spec)]),
  ];
}

function windowWords(spec, padding, stride = [1, 1]) {
  const pair = (name, value, usual) => `${value}` !== `${usual}` && `--${name} ${value[0] === value[1] ? value[0] : value.join("x")}`;
  return [
    pair("stride", spec.stride, stride),
    spec.padding !== padding && `--padding ${Array.isArray(spec.padding) ? spec.padding.join("x") : spec.padding}`,
    pair("dilation", spec.dilation, [1, 1]),
  ];
}

function poolWords(spec, { grey, kernelsFile }, file) {
  const size = spec.taps ? [] : [`--size ${spec.size.join("x")}`];
  const mode = spec.mode === "rank" ? `rank:${spec.percent}` : spec.mode;
  const named = spec.taps
    ? [`--window ${quoted(spec.reference ?? matrixText(spec.taps, 1))}`, kernelsFile && `--kernels-file ${kernelsFile}`]
    : [];
  const window = windowWords(spec, spec.taps ? "same" : "valid", spec.taps ? [1, 1] : spec.size);
  return ["pool", file, ...size, ...named, `--mode ${mode}`, grey && "--grey", ...window, borderWord(spec), spec.ceilMode && "--ceil-mode"];
}

/** The padding mode, if there is one. */
function borderWord({ paddingMode, paddingValue }) {
  return paddingMode && `--padding-mode ${paddingMode}${paddingMode === "constant" ? `:${paddingValue}` : ""}`;
}

function cannyWords(spec, data, file) {
  const unit = spec.percent ? "%" : "";
  return ["canny", file, `--sigma ${spec.sigma}`, `--low ${spec.low}${unit}`, `--high ${spec.high}${unit}`, ...flags(spec)];
}

function flags({ invert, overlay }) {
  return [invert && "--invert", overlay && "--overlay"];
}

/** The text of a step: as it was typed, or with the values that the page has now. */
function stepText(spec, number, files) {
  if (!spec.edited) return spec.text;
  const words = spec.text.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g);
  const first = words.filter((word, n) => n === 0 || !/^\w+=/.test(word) || /^(weights|kernel|bias|offset|mask)=/.test(word));
  const pair = (name, value, usual) =>
    value !== undefined && `${value}` !== `${usual}` && `${name}=${Array.isArray(value) ? value.join("x") : value}`;
  const options = [
    pair("stride", spec.stride, spec.type === "pool" ? spec.size : [1, 1]),
    pair("padding", spec.padding, [0, 0]),
    pair("dilation", spec.dilation, [1, 1]),
    spec.type === "pool" && pair("kernel_size", spec.size, ""),
    pair("output_padding", spec.outputPadding, [0, 0]),
    !spec.eachChannel && spec.groups > 1 && `groups=${spec.groups}`,
    spec.flip && "flip=true",
    spec.paddingMode &&
      spec.paddingMode !== "zeros" &&
      `padding_mode=${spec.paddingMode}${spec.paddingMode === "constant" ? `:${spec.paddingValue}` : ""}`,
    spec.ceilMode && "ceil_mode=true",
  ].filter(Boolean);
  return [...reference(spec, first, number, files), ...options].join(" ");
}

/** The op and its weights; weights that were changed are a file to save, or a matrix where there is one. */
function reference(spec, first, number, files) {
  if (spec.type === "pool" || spec.type === "pad") return [first[0]];
  if (!spec.changed) return first;
  const single = spec.eachChannel && spec.weight.length === 1 && spec.weight[0].length === 1;
  const name = `weights-${number}.npy`;
  const moves = first.filter((word) => /^(offset|mask)=/.test(word));
  const words = [first[0], single ? `"${matrixText(spec.weight[0][0], 1)}"` : `weights=${name}`, ...moves];
  if (!single) files.push([name, () => weightsFile(spec.weight)]);
  if (!spec.bias?.some(Boolean)) return words;
  files.push([`bias-${number}.npy`, () => npy(Float32Array.from(spec.bias), [spec.bias.length])]);
  return [...words, `bias=bias-${number}.npy`];
}

/** Lines of Python for a deformable convolution, which no command has. */
function python(model) {
  const { spec, step, output, photo } = model;
  const missing = photo.masks === 1 ? `numpy.load("${MASK}") == 0` : `image == ${photoToSave(model).words[0]?.split(" ")[1]}`;
  const [{ taps, divisor }] = spec.kernels;
  const offsets = step.offset.map((value) => +value.toFixed(9));
  return [
    `import imgconv, numpy`,
    `image = numpy.load("${PHOTO}").astype("float32")${isInterleaved(withoutAlpha(photo)) ? ".transpose(2, 0, 1)" : ""}`,
    `image = image.reshape(1, -1, *image.shape[-2:])`,
    ...(photo.valid ? [`image = numpy.where(${missing}, numpy.float32("nan"), image)`] : []),
    `taps = numpy.array(${JSON.stringify(taps)}, "float32") / ${divisor}`,
    `offset = numpy.array(${JSON.stringify(offsets)}, "float32")[None, :, None, None]`,
    `offset = offset * numpy.ones((1, 1, ${output.height}, ${output.width}), "float32")`,
    `options = ${tuple(spec.stride)}, ${tuple(spec.padding)}, ${tuple(spec.dilation)}`,
    `maps = [imgconv.deform_conv2d(image[:, [c]], offset, taps[None, None], None, *options) for c in range(image.shape[1])]`,
  ];
}

function tuple(value) {
  return `(${value.join(", ")})`;
}

/** A word for a shell. */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
