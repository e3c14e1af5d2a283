// The page: reads the data, and draws again whatever changes.

import { drawArithmetic, drawChain, drawViews } from "./arithmetic.js";
import { Closeups } from "./closeup.js";
import { drawCommand } from "./commands.js";
import { drawControls } from "./controls.js";
import { byId, element } from "./elements.js";
import { Maps } from "./maps.js";
import { Model } from "./model.js";
import { countMissing } from "./missing.js";
import { by, counted, grouped } from "./numbers.js";
import { inflated } from "./packed.js";
import { photoOf } from "./photo.js";
import { drawQuiz } from "./quiz.js";
import { cellValueText, shapeOf } from "./steps.js";

const MANY = 100; // cells whose tables take too long to draw for 60 frames a second while the window is dragged
const PAUSE = 100; // milliseconds between two drawings of such tables
const QUIET = 600; // milliseconds without a move before the cell is read out

const data = JSON.parse(new TextDecoder().decode(await inflated(byId("data").textContent)));
const model = new Model(
  data,
  photoOf({ ...data.photo, rule: data.rule, transfer: data.transfer }, await inflated(byId("photo").textContent)),
);
const maps = new Maps(model, togglePlay);
const closeups = new Closeups(model, togglePlay);
let player = 0;
let announcement = 0;
let frame = 0;
let later = 0;

document.title = `${data.name}, cell by cell`;
byId("title").textContent = data.name === "-" ? "standard input" : data.name;
byId("origin").textContent = originText(data);

/** Where the pixels come from. */
function originText({ photo, frames, overBlack, coloured, from: { size, crop, factor, reduced } }) {
  const parts = [`${photo.height}×${photo.width} pixels (rows×columns), ${photo.names.join(", ")}`];
  if (frames > 1) parts.push(`the first of ${frames} frames`);
  if (overBlack) parts.push("transparent ones over black");
  if (crop) parts.push(`the part from column ${crop[0]}, row ${crop[1]} on, of ${by(size)}`);
  if (factor > 1) parts.push(`scaled down ${factor} times by an average pool${crop ? "" : ` from ${by(size)}`}`);
  const inGrey = photo.names.length > 2 && !coloured ? "in grey, or " : "";
  if (reduced) parts.push(`a page has no room for more; more pixels fit ${inGrey}of a part of the image`);
  return parts.join("; ");
}

/** Draw what depends on the selected cell, at most once in a frame. */
function drawCell() {
  if (frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    maps.mark();
    closeups.draw();
    drawTransport();
    if (countCells(model.explained()) <= MANY) drawSums();
    else later ||= setTimeout(drawSums, PAUSE);
  });
}

/** The cells of the tables of an explanation: those under the window, and for a stamp its kernel and its products. */
function countCells({ parts }) {
  const stamp = parts[0]?.stamp ?? [];
  return parts.reduce((sum, { cells }) => sum + cells.values.flat().length, 2 * stamp.flat().length);
}

function drawSums() {
  later = clearTimeout(later) ?? 0;
  drawArithmetic(model);
  drawChain(model);
}

function drawMaps() {
  const fits = !model.problem;
  byId("message").hidden = fits;
  byId("message").textContent = fits ? "" : `These settings do not fit: ${model.problem}`;
  if (!fits) return;
  maps.draw();
  drawFacts();
  drawCommand(model);
  drawViews(model);
  drawCell();
}

function drawAll() {
  drawControls(model);
  drawMaps();
}

function drawFacts() {
  const facts = model.facts();
  const fields = model.receptiveFields();
  const shape = shapeOf(model.output);
  const rows = [["Input and output", `${by(shapeOf(model.input))} → ${by(shape)}`]];
  ["Height of the output", "Width of the output"].forEach((name, axis) => facts.sizes[axis] && rows.push([name, facts.sizes[axis]]));
  if (facts.pads) rows.push(["Padding", `${facts.pads[0].join(" + ")} rows, ${facts.pads[1].join(" + ")} columns`]);
  if (model.photo.valid) rows.push(["Missing cells", `${grouped(countMissing(model.input))} → ${grouped(countMissing(model.output))}`]);
  rows.push(["Multiply-adds", facts.multiplyAdds ? `${facts.multiplyAddsText} = ${grouped(facts.multiplyAdds)}` : facts.multiplyAddsText]);
  rows.push(
    ["Parameters", parametersText(facts, model.step)],
    ["Receptive field", `${by(fields[model.index - 1])} cells of the photograph`],
  );
  byId("sizes").replaceChildren(
    ...rows.map(([name, text]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: text }))),
  );
}

function parametersText({ parameters, parameterKinds }, { bias }) {
  const usual = bias ? { weight: parameters - bias.length, "bias value": bias.length } : {};
  const counts = Object.entries(parameterKinds ?? usual).filter(([, count]) => count);
  return [counts.map(([noun, count]) => counted(count, noun)).join(" + "), grouped(parameters)].filter(Boolean).join(" = ");
}

/** The position, the menu of maps, and what is read out. */
function drawTransport() {
  const { output } = model;
  const [c, row, column] = model.at;
  const channel = byId("channel");
  for (const [id, value, size] of [
    ["x", column, output.width],
    ["y", row, output.height],
  ]) {
    const input = byId(id);
    input.max = size - 1;
    if (document.activeElement !== input) input.value = value;
  }
  if (channel.options.length !== output.names.length || channel.options[0]?.textContent !== output.names[0]) {
    channel.replaceChildren(...output.names.map((name, n) => element("option", { value: n, textContent: name })));
  }
  channel.value = c;
  byId("channel-label").hidden = output.names.length < 2;
  byId("gradient-label").hidden = !model.step.gradientAt || Boolean(model.step.border);
  clearTimeout(announcement);
  announcement = setTimeout(() => (byId("status").textContent = `The output at ${cellValueText(model.output, model.at)}.`), QUIET);
}

function togglePlay() {
  const playing = !player;
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(playing));
  if (playing) player = setTimeout(tick, 0);
  else player = clearTimeout(player) ?? 0;
}

function tick() {
  model.move(0, 1, true);
  player = setTimeout(tick, 1000 / Number(byId("speed").value));
}

byId("play").addEventListener("click", togglePlay);
byId("gradient").addEventListener("change", drawCell);
byId("again").addEventListener("click", () => drawQuiz(model));
byId("channel").addEventListener("change", (event) => {
  model.select(model.index, [Number(event.target.value), ...model.at.slice(1)]);
  if (model.step.weight) drawControls(model);
});
for (const [id, axis] of [
  ["x", 2],
  ["y", 1],
]) {
  byId(id).addEventListener("input", (event) => {
    if (event.target.value === "") return;
    const at = [...model.at];
    at[axis] = Math.round(Number(event.target.value));
    model.select(model.index, at);
  });
}
model.addEventListener("cell", drawCell);
model.addEventListener("maps", drawMaps);
model.addEventListener("structure", drawAll);
drawAll();
byId("quiz").hidden = !data.quiz;
if (data.quiz) drawQuiz(model);
globalThis.imgconvPage = model; // for tests, and for the console of a curious reader
