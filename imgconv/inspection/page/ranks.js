// Ranks of the cells under windows, such as medians. A window is a set of members of which few change when it moves along a row, and the
// result is not far from the last one. Bytes are counted by their levels. Of other numbers, every cell has a place in the ascending order
// of the cells of a tile, and a bit of the set.

import { AXES } from "./geometry.js";

const TILE = [32, 128]; // rows and columns of the output whose windows are looked at together: their cells fit the cache
const DIGIT = 9; // bits that one pass of a sort looks at
const CODE = 31; // bits of a number by which cells are sorted

/** What a byte without a number is among cells. */
export const NO_LEVEL = 256;

/**
 * The cell of a rank under every window of a padded plane, in an array of the `Type` of the plane. Cells without a number take no part.
 * `indexOf` gives the rank for a number of cells. Windows that share cells follow each other: with dilation 2 and stride 1, every second one.
 */
export function rankWindows(output, { data, width }, taps, stride, dilation, Type, indexOf) {
  const spans = [taps.length, taps[0].length].map((count, axis) => (count - 1) * dilation[axis] + 1);
  const isByte = Type === Uint8Array;
  const most = isByte ? output : AXES.map((axis) => tileSize(output[axis], stride[axis], Math.max(TILE[axis], spans[axis])));
  const [height, pitch] = AXES.map((axis) => (most[axis] - 1) * stride[axis] + spans[axis]);
  const apart = dilation[1] / greatestDivisor(stride[1], dilation[1]);
  const move = apart * stride[1];
  const offsets = offsetsOf(taps, isByte ? width : pitch, dilation, move);
  const tile = isByte ? null : new Tile(height, pitch, Type);
  const slide = isByte ? slideLevels(offsets, indexOf) : slidePlaces(tile, offsets, indexOf);
  const values = new Type(output[0] * output[1]).fill(NaN);
  for (let top = 0; top < output[0]; top += most[0]) {
    for (let left = 0; left < output[1]; left += most[1]) {
      const [rows, columns] = [Math.min(most[0], output[0] - top), Math.min(most[1], output[1] - left)];
      const size = [(rows - 1) * stride[0] + spans[0], (columns - 1) * stride[1] + spans[1]];
      tile?.read(data, width, [top * stride[0], left * stride[1]], size);
      for (let i = 0; i < rows; i++) {
        const first = i * stride[0] * (isByte ? width : pitch);
        for (let j = 0; j < Math.min(apart, columns); j++) {
          const start = (top + i) * output[1] + left + j;
          slide(values, start, apart, Math.ceil((columns - j) / apart), isByte ? data : tile.places, first + j * stride[1], move);
        }
      }
    }
  }
  return values;
}

/** How many of `count` windows are in a tile of about `cells` cells along an axis, so that all tiles have about the same number. */
function tileSize(count, stride, cells) {
  return Math.ceil(count / Math.max(Math.round((count * stride) / cells), 1));
}

/**
 * Cells of a plane, whose values are those of an array of a `Type`: the `places` of all among `count` values in ascending order, `sorted`.
 * The place of those that are no numbers is `count`.
 */
class Tile {
  constructor(height, width, Type) {
    const most = height * width;
    Object.assign(this, { width, count: 0, largest: 0, places: new Int32Array(most) });
    Object.assign(this, { values: new Float64Array(most), sorted: new Float64Array(most), keys: new Int32Array(most) });
    Object.assign(this, { codes: new Int32Array(most), other: new Int32Array(most), starts: new Int32Array((1 << DIGIT) + 1) });
    this.floats = Type === Uint16Array ? null : new Float32Array(this.keys.buffer);
    this.shift = Math.ceil(Math.log2(most)); // bits of a code that are the cell
  }

  /** Take the cells of a part of a plane. */
  read(data, pitch, [top, left], [rows, columns]) {
    const { values, width, keys, floats } = this;
    let [low, high] = [2 ** 31, -(2 ** 31)];
    for (let i = 0; i < rows; i++) {
      for (let j = 0, n = (top + i) * pitch + left, cell = i * width; j < columns; j++, n++, cell++) {
        const value = data[n];
        values[cell] = value;
        if (value !== value) continue;
        if (floats) {
          floats[cell] = value;
          keys[cell] ^= (keys[cell] >> 31) & 0x7fffffff; // whole numbers in the order of the float32 with these bits
        } else keys[cell] = value;
        if (keys[cell] < low) low = keys[cell];
        if (keys[cell] > high) high = keys[cell];
      }
    }
    this.#encode(low, high - low, rows, columns);
    this.#sort();
    this.#place(rows * width);
  }

  /** Give each cell that is a number a code: in the high bits where its key is in the range of all, in the low ones the cell. */
  #encode(low, range, rows, columns) {
    const { values, width, keys, codes } = this;
    const scale = Math.min((2 ** (CODE - this.shift) - 1) / Math.max(range, 1), 1);
    const unit = 1 << this.shift;
    let count = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0, cell = i * width; j < columns; j++, cell++) {
        if (values[cell] === values[cell]) codes[count++] = Math.floor((keys[cell] - low) * scale) * unit + cell;
      }
    }
    Object.assign(this, { count, largest: Math.floor(range * scale) });
  }

  /** Sort the codes by their high bits. */
  #sort() {
    for (let digit = 0; digit < CODE - this.shift && this.largest >>> digit; digit += DIGIT) {
      sortBy(this.shift + digit, this.codes, this.other, this.count, this.starts);
      [this.codes, this.other] = [this.other, this.codes];
    }
  }

  /** Put values with the same high bits in order, of which there are few, and number all. */
  #place(all) {
    const { codes, values, sorted, places, count } = this;
    const mask = (1 << this.shift) - 1;
    for (let n = 0; n < count; n++) {
      const code = codes[n];
      const value = values[code & mask];
      let k = n;
      for (; k > 0 && sorted[k - 1] > value; k--) {
        sorted[k] = sorted[k - 1];
        codes[k] = codes[k - 1];
      }
      sorted[k] = value;
      codes[k] = code;
    }
    places.fill(count, 0, all);
    for (let n = 0; n < count; n++) places[codes[n] & mask] = n;
  }
}

/** Put codes in the order of one digit; those with the same digit stay in their order. */
function sortBy(shift, codes, result, count, starts) {
  const mask = (1 << DIGIT) - 1;
  starts.fill(0);
  for (let n = 0; n < count; n++) starts[((codes[n] >>> shift) & mask) + 1]++;
  for (let n = 1; n <= mask; n++) starts[n] += starts[n - 1];
  for (let n = 0; n < count; n++) result[starts[(codes[n] >>> shift) & mask]++] = codes[n];
}

/**
 * A slide moves a window along a row: (values, o, step, count) are the results and where they go, (cells, start, move) the levels or
 * places of all cells, the first cell of the window and how far it moves. NO_LEVEL takes no part.
 */
function slideLevels({ all, runs }, indexOf) {
  const counts = new Int32Array(NO_LEVEL + 1);
  return (values, o, step, count, cells, start, move) => {
    counts.fill(0);
    let first = start | 0;
    for (let k = 0; k < all.length; k++) counts[cells[first + all[k]]]++;
    let [at, below, rank, ranked] = [0, 0, 0, 0]; // `rank` is that of `ranked` cells
    for (let n = 0; n < count; n++, first += move, o += step) {
      for (let k = 0; n && k < runs.length; k += 4) {
        const across = runs[k + 1];
        const pitch = runs[k + 2];
        let cell = first - move + runs[k];
        for (let left = runs[k + 3]; left > 0; left--, cell += pitch) {
          const old = cells[cell];
          const level = cells[cell + across];
          if (old === level) continue;
          counts[old]--;
          counts[level]++;
          below += ((level - at) >>> 31) - ((old - at) >>> 31);
        }
      }
      const size = all.length - counts[NO_LEVEL];
      if (!size) continue;
      if (size !== ranked) rank = indexOf((ranked = size));
      while (below > rank) below -= counts[--at];
      while (below + counts[at] <= rank) below += counts[at++];
      values[o] = at;
    }
  };
}

/** Places in a tile. That of cells without a number is after all others and counts as no member. */
function slidePlaces(tile, { all, runs }, indexOf) {
  const bits = new Int32Array((tile.places.length >>> 5) + 1);
  return (values, o, step, count, cells, start, move) => {
    const { sorted, count: none } = tile;
    bits.fill(0);
    let first = start | 0;
    let size = 0;
    for (let k = 0; k < all.length; k++) {
      const place = cells[first + all[k]];
      bits[place >>> 5] |= 1 << place;
      if (place !== none) size++;
    }
    let [at, below, rank, ranked] = [0, 0, 0, 0]; // `rank` is that of `ranked` cells
    for (let n = 0; n < count; n++, first += move, o += step) {
      for (let k = 0; n && k < runs.length; k += 4) {
        const across = runs[k + 1];
        const pitch = runs[k + 2];
        let cell = first - move + runs[k];
        for (let left = runs[k + 3]; left > 0; left--, cell += pitch) {
          const old = cells[cell];
          const place = cells[cell + across];
          bits[old >>> 5] &= ~(1 << old);
          bits[place >>> 5] |= 1 << place;
          below += ((place - at) >>> 31) - ((old - at) >>> 31);
          if (old === none) size++;
          if (place === none) size--;
        }
      }
      if (!size) continue;
      if (size !== ranked) rank = indexOf((ranked = size));
      at = below > rank ? placeBefore(bits, at, below - rank) : placeFrom(bits, at, rank - below);
      below = rank;
      values[o] = sorted[at];
    }
  };
}

/** The first member from `at` on that has `count` ones before it there. */
function placeFrom(bits, at, count) {
  let word = at >>> 5;
  let rest = bits[word] & (-1 << at);
  for (let left = count; ; left--) {
    while (!rest) rest = bits[++word];
    if (!left) return 32 * word + 31 - Math.clz32(rest & -rest);
    rest &= rest - 1;
  }
}

/** The member that is the `count`th one before `at`. */
function placeBefore(bits, at, count) {
  let word = at >>> 5;
  let rest = bits[word] & ~(-1 << at);
  for (let left = count; ; left--) {
    while (!rest) rest = bits[--word];
    const highest = 31 - Math.clz32(rest);
    if (left === 1) return 32 * word + highest;
    rest &= ~(1 << highest);
  }
}

function greatestDivisor(a, b) {
  return b ? greatestDivisor(b, a % b) : a;
}

/** The cells of a window from its first one on, and as runs those that change when it moves by `step` columns. */
function offsetsOf(taps, width, dilation, step) {
  const cells = taps.flatMap((line, u) => line.flatMap((tap, v) => (tap ? [[u, v * dilation[1]]] : [])));
  const has = (u, column) => column % dilation[1] === 0 && Boolean(taps[u][column / dilation[1]]);
  const offsets = (kept) => Int32Array.from(cells.filter(kept), ([u, column]) => u * dilation[0] * width + column);
  const leaving = offsets(([u, column]) => !has(u, column - step));
  const entering = offsets(([u, column]) => !has(u, column + step));
  return { all: offsets(() => true), runs: runsOf(leaving, entering, step) };
}

/**
 * The leaving cells as runs of equal distances, four numbers each: the first cell, the way from there to the cell that enters for it, the
 * distance to the next, and their number. Loops over these take a fifth less time than loops over the cells of lists.
 */
function runsOf(leaving, entering, step) {
  const runs = [];
  for (let k = 0; k < leaving.length; k++) {
    const [across, gap] = [step + entering[k] - leaving[k], leaving[k] - leaving[k - 1]];
    const [, lastAcross, pitch, length] = runs.slice(-4);
    if (across === lastAcross && (length === 1 || gap === pitch)) runs.splice(-2, 2, gap, length + 1);
    else runs.push(leaving[k], across, 0, 1);
  }
  return Int32Array.from(runs);
}
