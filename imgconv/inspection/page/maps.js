// Every map as an image of its pixels, with the receptive field of the selected cell as a frame that can be dragged and moved by keys.

import { coloursOf, isAlpha } from "./alpha.js";
import { imageOf, isColour } from "./colours.js";
import { byId, element } from "./elements.js";
import { by } from "./numbers.js";
import { cellUnder, cellValueText, missingText, shapeOf } from "./steps.js";

const MOST_TILES = 16;
const MOST_DRAWN = 1024; // pixels along a row of a map, which is shown at half of that or less
const SLICE = 24; // milliseconds after a change, or in a later frame, in which maps are drawn besides the selected one
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** Move the selected cell with the keys that are pressed on an element. */
export function listenToKeys(node, model, toggle) {
  node.addEventListener("keydown", (event) => {
    const [down, across] = MOVES[event.key] ?? [0, 0];
    const [c, row] = model.at;
    const far = event.shiftKey ? 10 : 1;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (down || across) model.move(down * far, across * far);
    else if (event.key === "Home") model.select(model.index, [c, row, 0]);
    else if (event.key === "End") model.select(model.index, [c, row, model.output.width - 1]);
    else if (event.key === " ") toggle();
    else return;
    event.preventDefault();
  });
}

/** Report the cells of an element of `size` [rows, columns] that a pointer is pressed on or dragged over. */
export function listenToPointer(node, sizeOf, onCell) {
  const cell = (event) => {
    const box = node.getBoundingClientRect();
    const [rows, columns] = sizeOf();
    onCell(Math.floor(((event.clientY - box.top) / box.height) * rows), Math.floor(((event.clientX - box.left) / box.width) * columns));
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    cell(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && cell(event));
}

export class Maps {
  constructor(model, toggle) {
    this.model = model;
    this.toggle = toggle;
    this.turn = 0; // the number of the last change
    this.rows = []; // {nodes, tiles, isOld}: a row of each step, or of each map of the same photograph
  }

  /** Draw all maps anew: the selected one and what else takes little time at once, others in later frames, until when they stay. */
  draw() {
    const { model } = this;
    const inSteps = model.isNetwork || model.steps.length > 1;
    const count = 1 + (inSteps ? model.steps : model.branches).length;
    const kind = inSteps ? "steps" : "pair";
    const kept = byId("rows").className === kind ? count : 0;
    byId("rows").className = kind;
    for (const { nodes } of this.rows.splice(kept)) for (const node of nodes) node.remove();
    while (this.rows.length < count) {
      this.rows.push({ nodes: [element("div")], tiles: [] });
      byId("rows").append(...this.rows.at(-1).nodes);
    }
    for (const row of this.rows) row.isOld = true;
    this.#drawRow(inSteps ? model.index : model.number + 1, inSteps);
    this.turn += 1;
    this.#drawOldRows(inSteps, this.turn, model.changed + SLICE);
  }

  #drawOldRows(inSteps, turn, end) {
    let n = 0;
    while ((n = this.rows.findIndex(({ isOld }) => isOld)) >= 0 && performance.now() < end) this.#drawRow(n, inSteps);
    if (n >= 0) afterFrame(() => turn === this.turn && this.#drawOldRows(inSteps, turn, performance.now() + SLICE));
    byId("rows").setAttribute("aria-busy", String(n >= 0));
    this.mark();
  }

  #drawRow(n, inSteps) {
    const focused = document.activeElement?.dataset?.tile;
    const { nodes: old } = this.rows[n];
    const row = inSteps ? this.#stepRow(n) : this.#mapRow(n);
    this.rows[n] = row;
    old[0].before(...row.nodes);
    for (const node of old) node.remove();
    if (focused) row.tiles.find(({ node }) => node.dataset.tile === focused)?.node.focus();
  }

  #mapRow(n) {
    const { branches, number } = this.model;
    const tiles = n ? this.#tilesOf(branches[n - 1].results[1], 1, n - 1) : this.#tilesOf(branches[0].results[0], 0, number);
    return { nodes: tiles.map(({ figure }) => figure), tiles };
  }

  #stepRow(index) {
    const { model } = this;
    const maps = model.results[index];
    const tiles = this.#tilesOf(maps, index, model.number);
    const texts = [by(shapeOf(maps))];
    if (index) {
      const { sizes } = model.steps[index - 1].facts(model.branch.shapes[index - 1]);
      texts.push(`receptive field ${by(model.receptiveFields()[index - 1])}`, ...sizes);
    }
    const head = element(
      "div",
      { className: "head" },
      element("h3", { textContent: index ? `${index}. ${model.steps[index - 1].title}` : "Photograph" }),
      element("p", { className: "quiet", textContent: texts.join(", ") }),
    );
    if (maps.planes.length > MOST_TILES) {
      const textContent = `the first ${MOST_TILES} of ${maps.planes.length} maps; the menu below selects any`;
      head.append(element("p", { className: "quiet", textContent }));
    }
    const list = element("div", { className: "tiles" }, ...tiles.map(({ figure }) => figure));
    return { nodes: [element("div", { className: "row" }, head, list)], tiles };
  }

  /** The tiles of some maps: {figure, node, frame, spot, maps, index, number, c}. */
  #tilesOf(maps, index, number) {
    if (isColour(maps)) return [this.#tile(maps, index, number, null)];
    return maps.planes.slice(0, MOST_TILES).map((_, c) => this.#tile(maps, index, number, c));
  }

  #tile(maps, index, number, c) {
    const { model } = this;
    const canvas = canvasOf(maps, index, c);
    const frame = element("div", { className: "frame" });
    const spot = element("div", { className: "spot" });
    const title = this.#title(maps, index, number, c);
    const size = `${maps.height}×${maps.width}`;
    const about = {
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "map",
      "aria-label": `${title}, ${size}: arrow keys move the selected cell`,
      "data-tile": `${number} ${index} ${c}`,
    };
    const node = element("div", { className: maps.alpha && !maps.valid ? "tile clear" : "tile", ...about }, canvas, frame, spot);
    const widest = model.results[0].width;
    const caption = element("figcaption", {}, element("strong", { textContent: title }), ` ${size}${missingText(maps, c)}`);
    const figure = element("figure", {}, node, caption);
    figure.style.setProperty("--share", Math.min(maps.width / widest, 1.5));
    node.style.aspectRatio = `${maps.width} / ${maps.height}`;
    listenToPointer(
      node,
      () => [maps.height, maps.width],
      (row, column) => this.#pressed(index, number, c, row, column),
    );
    listenToKeys(node, model, this.toggle);
    return { figure, node, frame, spot, maps, index, number, c };
  }

  #title(maps, index, number, c) {
    const single = coloursOf(maps).length === 1 && !isAlpha(maps, c);
    if (index === 0) return c === null || single ? "photograph" : maps.names[c];
    const { model } = this;
    const { title } = model.branches[number].steps[index - 1];
    if (model.isNetwork || model.steps.length > 1) return c === null ? "colours" : maps.names[c];
    return c === null || single ? title : `${title} ${maps.names[c]}`;
  }

  /** On an earlier map, the window is moved to the cell; on any other, the cell is selected. */
  #pressed(index, number, c, row, column) {
    const { model } = this;
    if (number !== model.number) model.show(number);
    if (index > 0) {
      model.select(index, [c ?? model.at[0], row, column]);
      return;
    }
    const { output, step, input } = model;
    const [from] = model.results;
    const place = (axis, cell) => {
      const sizes = [
        [from.height, input.height, output.height],
        [from.width, input.width, output.width],
      ][axis];
      return cellUnder(step, input, output, axis, Math.floor((cell * sizes[1]) / sizes[0]));
    };
    model.select(model.index, [model.at[0], place(0, row), place(1, column)]);
  }

  /** Put the frames where the selected cell's receptive fields are. */
  mark() {
    const { model } = this;
    const fields = model.fields();
    const tiles = this.rows.flatMap((row) => (row.isOld ? [] : row.tiles));
    for (const { node, frame, spot, maps, index, number, c } of tiles) {
      const shown = number === model.number || index === 0;
      const field = shown ? fields[index] : null;
      frame.hidden = !field;
      spot.hidden = !field;
      node.classList.toggle("selected", index === model.index && shown && (c === null || c === model.at[0]));
      if (!field) continue;
      const [[top, bottom], [left, right]] = field;
      place(frame, maps, top, left, bottom - top + 1, right - left + 1);
      place(spot, maps, (top + bottom) / 2 - 0.5, (left + right) / 2 - 0.5, 1, 1);
      spot.hidden = (bottom - top + 1) / maps.height > 0.12;
      node.title = index === model.index ? cellValueText(maps, model.at) : "";
    }
  }
}

/** Call `work` when the next frame has been shown. */
function afterFrame(work) {
  requestAnimationFrame(() => setTimeout(work, 0));
}

const canvases = new WeakMap(); // of planes, for maps that did not change

function canvasOf(maps, index, c) {
  if (!canvases.has(maps.planes)) canvases.set(maps.planes, new Map());
  const drawn = canvases.get(maps.planes);
  const key = `${index} ${c}`; // a step that changes nothing has the planes of the one before it
  if (!drawn.has(key)) {
    const image = imageOf(maps, c, MOST_DRAWN);
    const canvas = element("canvas", { width: image.width, height: image.height });
    canvas.getContext("2d").putImageData(image, 0, 0);
    drawn.set(key, canvas);
  }
  return drawn.get(key);
}

function place(node, maps, top, left, height, width) {
  const share = (cells, size) => `${(100 * cells) / size}%`;
  Object.assign(node.style, {
    top: share(top, maps.height),
    left: share(left, maps.width),
    height: share(height, maps.height),
    width: share(width, maps.width),
  });
}
