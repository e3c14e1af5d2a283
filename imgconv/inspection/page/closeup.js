// The cells around the window and around the selected output cell, with their numbers; padding is drawn as the border that it is.

import { css, inkOn, themed, toneOf } from "./colours.js";
import { byId, element } from "./elements.js";
import { NO_PADS, sourceOf } from "./geometry.js";
import { listenToKeys, listenToPointer } from "./maps.js";
import { fromTo, short } from "./numbers.js";
import { isMissing } from "./missing.js";
import { cellUnder, shapeOf, valueText } from "./steps.js";

const WIDEST = 46;
const NUMBERED = 25;
const WEIGHTED = 36; // pixels along a cell: at most, with its value, with its tap
const LEAST = { rows: 9, columns: 11 };

export class Closeups {
  constructor(model, toggle) {
    this.model = model;
    this.views = ["input", "output"].map((kind) => this.#view(kind, toggle));
    byId("cells").replaceChildren(...this.views.map(({ figure }) => figure));
    new ResizeObserver(() => {
      this.#measure();
      this.draw();
    }).observe(byId("cells"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  #view(kind, toggle) {
    const canvas = element("canvas", { tabIndex: 0, role: "application", "aria-roledescription": "cells" });
    const caption = element("figcaption");
    const figure = element("figure", {}, canvas, caption);
    const view = { kind, canvas, caption, figure, top: 0, left: 0, rows: 1, columns: 1 };
    listenToKeys(canvas, this.model, toggle);
    listenToPointer(
      canvas,
      () => [view.rows, view.columns],
      (row, column) => this.#pressed(view, view.top + row, view.left + column),
    );
    return view;
  }

  /** The width of a figure, which only that of the page changes: to look at it in every frame would cost a layout. */
  #measure() {
    this.width = Math.max(120, ...this.views.map(({ figure }) => Math.floor(figure.clientWidth)));
  }

  #pressed({ kind }, row, column) {
    const { model } = this;
    const { step, input, output } = model;
    const cells = kind === "output" ? [row, column] : [cellUnder(step, input, output, 0, row), cellUnder(step, input, output, 1, column)];
    model.select(model.index, [model.at[0], ...cells]);
  }

  draw() {
    const { model } = this;
    const explained = model.explained();
    const [part] = explained.parts;
    for (const view of this.views) view.figure.hidden = !part && view.kind === "input";
    if (!this.width) this.#measure();
    if (part) this.#input(this.views[0], part);
    this.#output(this.views[1], part);
  }

  #input(view, part) {
    const { input, step } = this.model;
    const { rows, columns } = part.cells;
    const c = part.channel;
    const pads = step.facts(shapeOf(input)).pads ?? NO_PADS;
    this.#prepare(view, [input.height, input.width], pads, [rows, columns]);
    const gradient = showsGradient(step) ? (i, j) => step.gradientAt(input, c, [i, j]) : null;
    this.#cells(view, input, c, pads, step.border, gradient);
    this.#taps(view, part, rows, columns);
    if (step.points) this.#arrows(view, step.points(input, this.model.at.slice(1)));
    const around = [rows[0], rows.at(-1), columns[0], columns.at(-1)];
    this.#outline(view, around, themed("window"), 3);
    const what = gradient ? "gradient of the input, if that of every output cell is 1" : `input, ${input.names[c]}`;
    const place = `${fromTo("row", rows)}, ${fromTo("column", columns)}`;
    const single = rows.length === 1 && columns.length === 1;
    const relation = step.stampOf ? `${single ? "adds" : "add"} to the selected cell` : `${single ? "is" : "are"} under the window`;
    this.#label(view, what, `${place} ${relation}`);
  }

  #output(view, part) {
    const { output, step, at } = this.model;
    const [c, row, column] = at;
    const stamp = step.stampOf && part?.cells.rows.length && part.cells.columns.length;
    const middle = (list) => list[Math.floor(list.length / 2)];
    const cells = stamp ? [step.stampOf(middle(part.cells.rows), 0), step.stampOf(middle(part.cells.columns), 1)] : [[row], [column]];
    this.#prepare(view, [output.height, output.width], NO_PADS, cells);
    this.#cells(view, output, c, NO_PADS, null, null);
    if (stamp) this.#outline(view, [cells[0][0], cells[0].at(-1), cells[1][0], cells[1].at(-1)], themed("window"), 3);
    this.#outline(view, [row, row, column, column], themed("spot"), 4);
    this.#label(view, `output, ${output.names[c]}${stamp ? ", with one stamp" : ""}`, `${column},${row} = ${valueText(output, at)}`);
  }

  /** Choose the part of the map that is shown, so that `cells` [rows, columns] are in it, and the size of a cell. */
  #prepare(view, size, pads, [rows, columns]) {
    const spans = [rows.at(-1) - rows[0] + 1, columns.at(-1) - columns[0] + 1];
    view.columns = Math.max(spans[1] + 2, Math.min(LEAST.columns, Math.floor(this.width / 30)));
    view.rows = Math.max(spans[0] + 2, LEAST.rows);
    view.cell = Math.max(Math.min(WIDEST, Math.floor(this.width / view.columns)), 3);
    view.top = origin(view.top, view.rows, [rows[0], rows.at(-1)], pads[0], size[0]);
    view.left = origin(view.left, view.columns, [columns[0], columns.at(-1)], pads[1], size[1]);
    const ratio = devicePixelRatio || 1;
    const { canvas, cell } = view;
    const [wide, high] = [view.columns, view.rows].map((count) => Math.round(count * cell * ratio));
    view.context ??= canvas.getContext("2d");
    if (canvas.width !== wide || canvas.height !== high) {
      Object.assign(canvas, { width: wide, height: high });
      Object.assign(canvas.style, { width: `${view.columns * cell}px`, height: `${view.rows * cell}px` });
    }
    view.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    view.context.clearRect(0, 0, wide, high);
    view.context.textAlign = "center";
    view.context.textBaseline = "middle";
  }

  #cells(view, maps, c, pads, border, gradient) {
    const tone = toneOf(maps, c);
    const { height, width } = maps;
    const plane = maps.planes[c];
    for (let u = 0; u < view.rows; u++) {
      for (let v = 0; v < view.columns; v++) {
        const i = view.top + u;
        const j = view.left + v;
        const inside = i >= 0 && j >= 0 && i < height && j < width;
        const padding = !inside && i >= -pads[0][0] && j >= -pads[1][0] && i < height + pads[0][1] && j < width + pads[1][1];
        if (!inside && !padding) continue;
        const [row, column] = inside ? [i, j] : border ? [sourceOf(border.mode, i, height), sourceOf(border.mode, j, width)] : [-1, -1];
        const value = row >= 0 && column >= 0 ? plane[row * width + column] : border ? border.value : NaN;
        if (row >= 0 && column >= 0 && isMissing(maps, [c, row, column])) this.#missing(view, u, v, padding);
        else this.#cell(view, u, v, value, tone, padding, gradient && inside ? gradient(i, j) : null);
      }
    }
  }

  #missing({ context, cell }, u, v, padding) {
    const [x, y] = [v * cell, u * cell];
    context.fillStyle = themed(padding ? "padding" : "missing");
    context.fillRect(x, y, cell, cell);
    hatch(context, x, y, cell, "missing-hatch", -1);
    outlineCell(context, x, y, cell);
  }

  #cell({ context, cell }, u, v, value, tone, padding, gradient) {
    const x = v * cell;
    const y = u * cell;
    const colour = padding ? null : gradient === null ? tone(value) : gradient ? [255, 214, 102] : [250, 250, 250];
    context.fillStyle = colour ? css(colour) : themed("padding");
    context.fillRect(x, y, cell, cell);
    if (padding) hatch(context, x, y, cell, "hatch", 1);
    outlineCell(context, x, y, cell);
    const shown = gradient ?? value;
    if (cell < NUMBERED || Number.isNaN(shown)) return;
    const text = short(shown);
    context.fillStyle = colour ? inkOn(colour) : themed("padding-ink");
    context.font = `${padding ? "italic " : ""}${Math.min(cell * 0.36, 15, (1.55 * (cell - 5)) / text.length)}px system-ui, sans-serif`;
    context.fillText(text, x + cell / 2, y + cell / 2);
  }

  /** The taps in the corners of their cells, and rings around the cells that a pool selects. */
  #taps(view, { cells, taps, winners, members }, rows, columns) {
    const { context, cell } = view;
    const most = taps ? 0 : Math.max(...(winners ?? [[0]]).flat().map(Math.abs));
    rows.forEach((row, u) =>
      columns.forEach((column, v) => {
        const x = (column - view.left) * cell;
        const y = (row - view.top) * cell;
        if (members && !members[u][v]) return;
        if (winners?.[u][v] && Math.abs(winners[u][v]) === most && most > 0.99) ring(context, x, y, cell, themed("spot"));
        context.strokeStyle = themed("window");
        context.lineWidth = 1.5;
        if (cell > 7) context.strokeRect(x + 1.5, y + 1.5, cell - 3, cell - 3);
        if (taps && !cells.missing?.[u][v] && cell >= WEIGHTED && !this.model.step.points) corner(context, short(taps[u][v]), x, y, cell);
      }),
    );
  }

  #arrows({ context, cell, top, left }, points) {
    for (const [colour, width] of [
      [themed("halo"), 4],
      [themed("spot"), 1.75],
    ]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: "round" });
      for (const [y, x, down, across] of points.flat()) {
        const from = [(x - left + 0.5) * cell, (y - top + 0.5) * cell];
        const to = [from[0] + across * cell, from[1] + down * cell];
        const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
        const head = Math.min(7, (Math.hypot(down, across) * cell) / 2);
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...to);
        for (const turn of [2.5, -2.5]) {
          context.moveTo(...to);
          context.lineTo(to[0] + head * Math.cos(angle + turn), to[1] + head * Math.sin(angle + turn));
        }
        context.stroke();
      }
    }
  }

  #outline({ context, cell, top, left }, [first, last, start, end], colour, width) {
    const box = [(start - left) * cell + 2, (first - top) * cell + 2, (end - start + 1) * cell - 4, (last - first + 1) * cell - 4];
    for (const [style, line] of [
      [themed("halo"), width + 2],
      [colour, width],
    ]) {
      context.strokeStyle = style;
      context.lineWidth = line;
      context.strokeRect(...box);
    }
  }

  #label({ canvas, caption }, title, more) {
    caption.replaceChildren(element("strong", { textContent: title }), ` ${more}`);
    canvas.setAttribute("aria-label", `${title}: ${more}; arrow keys move the selected cell`);
  }
}

/** Whether the gradient is shown: of a pool without values in its padding, if its box is checked. */
export function showsGradient({ gradientAt, border }) {
  return Boolean(gradientAt) && !border && byId("gradient").checked;
}

/** The first cell that is shown: unchanged while the cells that must be seen are, else so that they are in the middle. */
function origin(now, count, [first, last], [before, after], size) {
  const least = -before;
  const most = Math.max(size + after - count, least);
  const fits = now >= Math.min(least, first) && now <= Math.max(most, last - count + 1) && now <= first && now + count > last;
  if (fits) return now;
  const middle = Math.round((first + last + 1 - count) / 2);
  return Math.min(Math.max(Math.min(Math.max(middle, least), most), last - count + 1), first);
}

function outlineCell(context, x, y, cell) {
  context.strokeStyle = themed("grid");
  context.lineWidth = 1;
  if (cell > 7) context.strokeRect(x + 0.5, y + 0.5, cell, cell);
}

/** Lines across a cell that rise (1) or fall (-1) to the right. */
function hatch(context, x, y, cell, colour, direction) {
  context.save();
  context.beginPath();
  context.rect(x, y, cell, cell);
  context.clip();
  context.strokeStyle = themed(colour);
  context.lineWidth = 1;
  context.beginPath();
  const [from, to] = direction > 0 ? [y + cell, y] : [y, y + cell];
  for (let d = -cell; d < cell; d += 7) (context.moveTo(x + d, from), context.lineTo(x + d + cell, to));
  context.stroke();
  context.restore();
}

function ring(context, x, y, cell, colour) {
  for (const [style, width] of [
    [themed("halo"), 5],
    [colour, 3],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x + cell / 2, y + cell / 2, cell / 2 - 4, 0, 7);
    context.stroke();
  }
}

function corner(context, text, x, y, cell) {
  context.font = `600 ${Math.min(10.5, (1.3 * cell) / text.length)}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 4;
  context.fillStyle = themed("window");
  context.fillRect(x + cell - width - 2, y + cell - 13, width, 11);
  context.fillStyle = themed("on-window");
  context.fillText(text, x + cell - width / 2 - 2, y + cell - 7);
}
