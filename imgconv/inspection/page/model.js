// What the page shows: the settings of every step, the maps that they give, and the selected cell.

import { Misfit } from "./geometry.js";
import { arrayOf } from "./photo.js";
import { evaluate, explainedAt, fieldsOf, inputOf, receptiveFields, shapeOf, shapesOf, stepsOf } from "./steps.js";

/** Events: "structure" for other steps, "maps" for other values, "cell" for another cell. */
export class Model extends EventTarget {
  constructor(data, photo) {
    super();
    this.data = data;
    this.photo = photo;
    this.branches = data.branches.map((specs) => this.#branch(specs));
    this.number = 0;
    this.problem = null;
    this.view = "window";
    this.changed = performance.now(); // when the settings were
    const last = this.#main();
    const { output } = this.select(last, [0, 0, 0], true);
    const [x, y] = data.at ?? [Math.floor(output.width / 2), Math.floor(output.height / 2)];
    this.select(last, [0, y, x], true);
  }

  get branch() {
    return this.branches[this.number];
  }
  get steps() {
    return this.branch.steps;
  }
  get results() {
    return this.branch.results;
  }
  get step() {
    return this.steps[this.index - 1];
  }
  get spec() {
    return this.branch.specs[this.step.spec];
  }
  get input() {
    return this.results[this.index - 1];
  }
  get output() {
    return this.results[this.index];
  }
  get isNetwork() {
    return this.data.command === "run";
  }

  /** The index of the map of the last step with a window, or of the last one. */
  #main() {
    return this.steps.findLastIndex((step) => step.window) + 1 || this.steps.length;
  }

  /** Steps and maps of some settings; those before the first settings that are not `old` ones stay as they are, and steps that repeat. */
  #branch(packed, old = { specs: [], steps: [], results: [] }) {
    const specs = packed.map(unpacked);
    const changed = specs.findIndex((spec, n) => spec !== old.specs[n]);
    let same = old.steps.filter(({ spec }) => spec < changed).length;
    let steps = stepsOf(specs, this.data.modes, this.photo);
    if (["op", "type", "kernels"].every((name) => specs[changed]?.[name] === old.specs[changed]?.[name])) {
      while (steps[same]?.repeats?.(old.steps[same])) same += 1; // such as canny's gradient, after another threshold
    }
    steps = steps.map((step, n) => (n < same ? old.steps[n] : step));
    const known = same ? old.results.slice(0, same + 1) : [inputOf(this.photo, specs, this.data.modes)];
    return { specs, steps, shapes: shapesOf(known[0], steps), results: evaluate(known, steps) };
  }

  /** Other steps: one list of settings for each map. */
  replace(branches) {
    this.#attempt(() => {
      const evaluated = branches.map((specs) => this.#branch(specs));
      const before = this.output;
      this.branches = evaluated;
      this.number = 0;
      this.index = this.#main();
      this.#stay(before);
    }, "structure");
  }

  /** Change the settings of the selected step. */
  edit(change, event = "maps") {
    this.#attempt(() => {
      const specs = this.branch.specs.map((spec, n) => (n === this.step.spec ? { ...spec, ...change, edited: true } : spec));
      const before = this.output;
      const count = this.steps.length;
      this.branches[this.number] = this.#branch(specs, this.branch);
      if (this.steps.length !== count) this.index = this.#main();
      this.#stay(before);
    }, event);
  }

  /** Change what becomes of missing cells and of alpha, in every step. */
  setRule(change) {
    this.#attempt(() => {
      const before = this.output;
      this.photo = { ...this.photo, rule: { ...this.photo.rule, ...change } };
      this.branches = this.branches.map(({ specs }) => this.#branch(specs));
      this.#stay(before);
    }, "structure");
  }

  /** Select the cell of the new output that is at the same part of the photograph. */
  #stay({ height, width }) {
    const [c, row, column] = this.at;
    const { output } = this;
    this.select(
      this.index,
      [c, Math.floor(((row + 0.5) * output.height) / height), Math.floor(((column + 0.5) * output.width) / width)],
      true,
    );
  }

  /** Settings that fit no image keep the maps as they are, and their reason is shown. */
  #attempt(change, event) {
    this.problem = null;
    this.changed = performance.now();
    try {
      change();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      this.problem = error.message;
    }
    this.dispatchEvent(new Event(event));
  }

  /** Select the cell [channel, row, column] of map `index`; one outside is moved to the edge. */
  select(index, [c, row, column], quiet = false) {
    const within = (cell, size) => Math.min(Math.max(cell, 0), size - 1);
    const maps = this.results[index];
    const other = index !== this.index;
    this.index = index;
    this.at = [within(c, maps.planes.length), within(row, maps.height), within(column, maps.width)];
    if (!quiet) this.dispatchEvent(new Event(other ? "structure" : "cell"));
    return this;
  }

  /** Show the map of another kernel. */
  show(number) {
    const before = this.output;
    this.number = number;
    this.index = this.#main();
    this.#stay(before);
    this.dispatchEvent(new Event("structure"));
  }

  /** Move the selected cell by rows and columns; `wrap` goes on in the next row. */
  move(down, across, wrap = false) {
    let [c, row, column] = this.at;
    column += across;
    if (wrap && column >= this.output.width) {
      column = 0;
      row = (row + 1) % this.output.height;
    }
    this.select(this.index, [c, row + down, column]);
  }

  /** The receptive field of a cell after each step. */
  receptiveFields() {
    return receptiveFields(this.steps, this.branch.shapes);
  }

  /** The rows and columns of every map up to the selected one that the selected cell depends on. */
  fields() {
    return fieldsOf(this.steps, this.results, this.index, this.at);
  }

  explained() {
    return explainedAt(this.steps, this.results, this.index, this.at);
  }

  facts() {
    return this.step.facts(shapeOf(this.input));
  }
}

/** Settings with their weights as nested lists. */
function unpacked(spec) {
  const names = ["weight", "bias", "offset", "offsetBias", "mask", "maskBias"].filter((name) => spec[name]?.data);
  return names.length ? { ...spec, ...Object.fromEntries(names.map((name) => [name, arrayOf(spec[name])])) } : spec;
}
