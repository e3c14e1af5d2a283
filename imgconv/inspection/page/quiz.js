// Five questions drawn from the settings, with their answers behind a button.

import { byId, element } from "./elements.js";
import { AXES, outputSize, padsOf, sizeFormulas, spanOf } from "./geometry.js";
import { countMissing, isMissing } from "./missing.js";
import { by, counted, grouped, number, resultText } from "./numbers.js";
import { cellText, explainedAt } from "./steps.js";

/** Show five questions; `random` gives numbers from 0 to 1. */
export function drawQuiz(model, random = Math.random) {
  const whole = (least, most) => least + Math.floor(random() * (most - least + 1));
  const items = [sizeQuestion, valueQuestion, paddingQuestion, fieldQuestion, parameterQuestion].map((ask) => item(ask(model, whole)));
  byId("questions").replaceChildren(...items);
}

/** `solve` gives the answer when it is shown, since the settings may have changed by then. */
function item({ question, solve }) {
  const solution = element("p", { className: "answer", hidden: true });
  const button = element("button", { type: "button", textContent: "Show the answer", "aria-expanded": "false" });
  button.addEventListener("click", () => {
    const { answer, why } = solve();
    solution.replaceChildren(element("strong", { textContent: answer }), ` ${why}`);
    solution.hidden = !solution.hidden;
    button.setAttribute("aria-expanded", String(!solution.hidden));
    button.textContent = solution.hidden ? "Show the answer" : "Hide the answer";
  });
  return element("li", {}, element("p", { textContent: question }), button, solution);
}

/** The kernel size of the selected step, 3x3 for one without. */
function kernelOf({ step }) {
  return step.window?.kernelSize ?? [3, 3];
}

function sizeQuestion(model, whole) {
  const size = [model.input.height, model.input.width];
  const stride = whole(1, 3);
  const dilation = whole(1, 2);
  const shape = { kernelSize: kernelOf(model), stride: [stride, stride], dilation: [dilation, dilation] };
  const needed = AXES.map((axis) => Math.ceil((spanOf(shape, axis) - size[axis]) / 2)); // where the kernel is larger than the map
  const padding = Math.max(whole(0, 2), ...needed);
  const window = { ...shape, padding: [padding, padding], ceilMode: false, anchor: null };
  const question =
    `A map of ${by(size)} cells (rows×columns) is convolved with a kernel of ${by(window.kernelSize)} ` +
    `with stride ${stride}, padding ${padding} and dilation ${dilation}. What is the size of the output?`;
  return { question, solve: () => ({ answer: by(outputSize(window, size)), why: sizeFormulas(window, size).join("; ") }) };
}

function valueQuestion(model, whole) {
  const { output, index, number: branch, steps } = model;
  const cell = () => [whole(0, output.planes.length - 1), whole(0, output.height - 1), whole(0, output.width - 1)];
  let at = cell();
  const none = countMissing(output) === output.planes.length * output.planes[0].length;
  while (!none && isMissing(output, at)) at = cell();
  const name = steps.length > 1 ? `the map after step ${index}, ${model.step.title},` : "the output";
  const question = `What is the value of ${name} at ${cellText(output, at)} (column,row)? Move the window there and read the cells.`;
  return { question, solve: () => valueAnswer(model, branch, index, at) };
}

function valueAnswer(model, branch, index, at) {
  const { steps, results } = model.branches[branch] ?? model.branch;
  const maps = results[index];
  const [c, row, column] = at;
  if (!maps?.planes[c] || row >= maps.height || column >= maps.width)
    return { answer: "There is no such cell with these settings.", why: "" };
  const { stages, value } = explainedAt(steps, results, index, at);
  return { answer: number(value), why: stages.map((stage) => `${stage.name}: ${stage.text} ${resultText(stage)}`).join("; ") };
}

function paddingQuestion(model, whole) {
  const kernelSize = kernelOf(model);
  const dilation = whole(1, 3);
  const size = [model.input.height, model.input.width];
  const [[top, bottom], [left, right]] = padsOf(
    { kernelSize, stride: [1, 1], padding: "same", dilation: [dilation, dilation], anchor: null },
    size,
  );
  const question =
    `How many cells of padding does a kernel of ${by(kernelSize)} with dilation ${dilation} and stride 1 need, ` +
    `so that the output has the size of the input?`;
  const spans = kernelSize.map((k) => `${dilation}·(${k} − 1) + 1 = ${dilation * (k - 1) + 1}`);
  const why = `The kernel spans ${spans.join(" and ")} cells, and span − 1 cells are needed in all.`;
  return { question, solve: () => ({ answer: `${top} above and ${bottom} below, ${left} left and ${right} right.`, why }) };
}

function fieldQuestion(model, whole) {
  if (model.steps.length > 1) {
    const fields = model.receptiveFields();
    const n = whole(1, model.steps.length);
    const question = `How large is the receptive field of one cell after step ${n}, ${model.steps[n - 1].title}, in the photograph?`;
    const sizes = fields.slice(0, n).map(by).join(", ");
    const why = `One cell, then after each step ${sizes}: it grows by (span − 1) times the strides before it.`;
    return { question, solve: () => ({ answer: `${by(fields[n - 1])} cells.`, why }) };
  }
  const [k] = kernelOf(model);
  const stride = whole(1, 3);
  const second = whole(1, 3) * 2 + 1;
  const cells = k + (second - 1) * stride;
  const question =
    `After a kernel with ${counted(k, "row")} and stride ${stride} comes one with ${second} rows. ` +
    `On how many rows of the photograph does one cell of the second map depend?`;
  return { question, solve: () => ({ answer: `${counted(cells, "row")}.`, why: `${k} + (${second} − 1)·${stride} = ${cells}` }) };
}

function parameterQuestion(model, whole) {
  const [kh, kw] = kernelOf(model);
  const groups = whole(1, 2);
  const channels = groups * whole(1, 3);
  const maps = groups * whole(2, 8);
  const count = (maps * channels * kh * kw) / groups + maps;
  const question =
    `How many parameters does a layer learn that makes ${maps} maps of ${counted(channels, "channel")} with kernels of ${kh}×${kw}, ` +
    `${groups === 1 ? "one group" : `${groups} groups`} and a bias for each map?`;
  const why = `${maps}·${channels / groups}·${kh}·${kw} weights + ${maps} biases = ${count}`;
  return { question, solve: () => ({ answer: grouped(count), why }) };
}
