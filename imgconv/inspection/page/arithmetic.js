// The arithmetic of the selected cell: cells, kernel and products as tables, then every step up to the pixel; and the chain of sums.

import { showsGradient } from "./closeup.js";
import { css, inkOn, toneOf } from "./colours.js";
import { byId, element, renew, tableOf } from "./elements.js";
import { hasMatrices, matrixTables, scrolled } from "./matrices.js";
import { counted, fromTo, number, resultText, short } from "./numbers.js";
import { cellText, chainOf, valueText } from "./steps.js";

const VIEWS = { window: "Window over the input", im2col: "im2col and matrix product", matrix: "Kernel matrix" };
const MOST_PARTS = 4;
const MOST_SHOWN = 15;
const MOST_NARROW = 4; // columns of a table that a screen of 360 pixels always shows

/** Show the arithmetic in the chosen form. */
export function drawArithmetic(model) {
  const explained = model.explained();
  const tables =
    model.view === "window"
      ? explained.parts.slice(0, MOST_PARTS).map((part) => partTables(model, part))
      : matrixTables(model, explained, model.view);
  const more = explained.parts.length - MOST_PARTS;
  if (model.view === "window" && more > 0) {
    tables.push(element("p", { className: "quiet", textContent: `and ${more} more channels in the same way` }));
  }
  renew(byId("sums"), [...stampTables(model, explained), ...tables, stages(model, explained)]);
  byId("arithmetic-title").textContent = `Arithmetic of ${cellText(model.output, model.at)} (column,row)`;
}

/** Buttons for the forms of the arithmetic. */
export function drawViews(model) {
  const buttons = Object.entries(VIEWS).map(([view, text]) => {
    const button = element("button", { type: "button", textContent: text, "aria-pressed": String(model.view === view) });
    button.addEventListener("click", () => {
      model.view = view;
      drawViews(model);
      drawArithmetic(model);
    });
    return button;
  });
  byId("views").replaceChildren(...buttons);
  byId("views").hidden = !hasMatrices(model.step);
  if (byId("views").hidden) model.view = "window";
}

function partTables(model, part) {
  const { cells, taps, winners } = part;
  const title = [part.title, part.kernel].filter(Boolean).join(", ");
  if (cells.rows.length > MOST_SHOWN || cells.columns.length > MOST_SHOWN) {
    return element("p", {
      className: "quiet",
      textContent: `${title}: ${cells.rows.length}×${cells.columns.length} cells are too many to list`,
    });
  }
  const parts = [element("h3", { textContent: title }), cellTable(model, part)];
  if (taps) {
    const known = (u, v, cell) => (cells.missing?.[u][v] ? ["", { className: "missing" }] : cell);
    const products = taps.map((line, u) => line.map((tap, v) => known(u, v, [short(tap === 0 ? 0 : tap * cells.values[u][v]), {}])));
    const kernel = taps.map((line, u) => line.map((tap, v) => known(u, v, [short(tap), { className: tap ? "" : "zero" }])));
    parts.push(tableAfter("×", tableOf(kernel, { className: "taps", caption: "kernel" })));
    parts.push(tableAfter("=", tableOf(products, { className: "products", caption: "products" })));
  } else if (winners) {
    const shares = winners.map((line) => line.map((share) => [share ? short(share) : "·", { className: share ? "winner" : "zero" }]));
    parts.push(tableAfter("→", tableOf(shares, { className: "products", caption: "share of the gradient" })));
    const all = { className: "products", caption: "gradient from all windows" };
    if (showsGradient(model.step)) parts.push(tableOf(gradients(model, part), all));
  }
  return partOf(parts, title, cells.columns.length);
}

/** The gradient of every cell under the window when that of every output cell is 1. */
function gradients({ step, input }, { cells, channel }) {
  const gradient = (u, v) => (cells.padded[u][v] ? "" : short(step.gradientAt(input, channel, [cells.rows[u], cells.columns[v]])));
  return cells.rows.map((_, u) => cells.columns.map((__, v) => [gradient(u, v), {}]));
}

/** Tables side by side, in a region that scrolls, by keyboard too, if they are wider than a narrow screen. */
function partOf(tables, title, columns) {
  const scrolls = columns > MOST_NARROW ? { tabIndex: 0, role: "group", "aria-label": title } : {};
  return element("div", { className: "part", ...scrolls }, ...tables);
}

/** The cells under the window, in the tones of the map. */
function cellTable(model, { cells, winners, members, channel }) {
  const tone = toneOf(model.input, channel);
  const cell = (u, v) => {
    const value = cells.values[u][v];
    const outside = cells.padded[u][v];
    const left = members && !members[u][v];
    if (!left && cells.missing?.[u][v]) return ["", { className: "missing", title: "missing" }];
    if (left || (outside && Number.isNaN(value))) return ["", { className: "padding" }];
    if (outside) return [`(${short(value)})`, { className: "padding" }];
    const colour = tone(model.input.planes[channel][cells.rows[u] * model.input.width + cells.columns[v]]);
    return [short(value), { className: winners?.[u][v] ? "winner" : "", style: `background: ${css(colour)}; color: ${inkOn(colour)}` }];
  };
  const head = ["", ...cells.columns.map(String)];
  const rows = cells.rows.map((row, u) => [String(row), ...cells.columns.map((_, v) => cell(u, v))]);
  return tableOf([head, ...rows], { headers: true, className: "cells", caption: "cells" });
}

/** A table after a sign, which goes with it to the next line. */
function tableAfter(text, table) {
  return element("div", { className: "signed" }, element("span", { className: "sign", textContent: text }), table);
}

/** For a transposed convolution, the stamp of the middle one of the input cells that reach the output cell. */
function stampTables({ step }, { parts: [part] }) {
  if (!step.stampOf || !part?.cells.rows.length || !part.cells.columns.length) return [];
  const u = Math.floor(part.cells.rows.length / 2);
  const v = Math.floor(part.cells.columns.length / 2);
  const value = part.cells.values[u][v];
  const [row, column] = [part.cells.rows[u], part.cells.columns[v]];
  const rows = step.stampOf(row, 0);
  const columns = step.stampOf(column, 1);
  const stamp = part.stamp.map((line, a) => [String(rows[a]), ...line.map((tap) => [short(tap * value), {}])]);
  const kernel = part.stamp.map((line) => line.map((tap) => [short(tap), {}]));
  const about =
    "Every input cell adds a stamp to the output: its value times the kernel. " +
    `The cell ${column},${row} has the value ${number(value)}; its stamp covers ${fromTo("row", rows)} and ${fromTo("column", columns)}. ` +
    `The sum below adds the stamps of ${counted(part.cells.rows.length * part.cells.columns.length, "cell")}.`;
  return [
    element("p", { textContent: about }),
    partOf(
      [
        element("h3", { textContent: `stamp of ${column},${row}` }),
        tableOf([[short(value)]], { className: "cells", caption: "cell" }),
        tableAfter("×", tableOf(kernel, { className: "taps", caption: "kernel" })),
        tableAfter("=", tableOf([["", ...columns.map(String)], ...stamp], { headers: true, className: "products", caption: "stamp" })),
      ],
      `stamp of ${column},${row}`,
      columns.length,
    ),
  ];
}

function stages(model, { stages: list }) {
  const rows = list.map(({ name, text, value }, n) =>
    element(
      "tr",
      { className: n === list.length - 1 ? "last" : "" },
      element("th", { scope: "row", textContent: name }),
      element("td", { textContent: text }),
      element("td", { textContent: resultText({ name, value }) }),
    ),
  );
  const table = element(
    "table",
    { className: "stages" },
    element("caption", { textContent: "step by step to the value of the map" }),
    ...rows,
  );
  if (model.output.whole && !model.output.floats && list.at(-1).name !== "missing") {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = css(toneOf(model.output, model.at[0])(list.at(-1).value));
    rows.at(-1).lastChild.append(swatch);
  }
  return scrolled(table);
}

/** The chain of sums from the selected cell down to the photograph. */
export function drawChain(model) {
  const section = byId("chain");
  section.hidden = model.steps.length < 2;
  if (section.hidden) return;
  const links = chainOf(model.steps, model.results, model.index, model.at).map(({ index, at, stages }) => {
    const step = model.steps[index - 1];
    const last = stages.at(-1);
    const name = index ? `${index}. ${step.title}` : "photograph";
    const button = element("button", { type: "button", className: "link", textContent: `${name}: ${cellText(model.results[index], at)}` });
    button.disabled = index === 0;
    button.addEventListener("click", () => model.select(index, at));
    return element(
      "li",
      {},
      button,
      element("span", { textContent: last ? ` ${last.text} ${resultText(last)}` : ` = ${valueText(model.results[index], at)}` }),
    );
  });
  byId("links").replaceChildren(...links);
}
