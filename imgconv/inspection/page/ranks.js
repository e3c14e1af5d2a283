// Ranks of the cells under windows, such as medians. A window is a set of members of which few change when it moves along a row, and the
// result is not far from the last one. Bytes are counted by their levels. Of other numbers, every cell has a place in the ascending order
// of all cells of some rows, and a bit of the set.

const DIGIT = 11; // bits that one pass of a sort looks at
const SIGN = 0x80000000;
const ROWS = 32; // of the output, whose windows are looked at together: their cells fit the cache

/** What a byte without a number is among cells. */
export const NO_LEVEL = 256;

/** The cells of a plane that are numbers, in ascending order of their values, which are those of an array of a `Type`. */
function ascending(data, Type) {
  const words = wordsOf(data, Type);
  const bits = 8 * Math.min(Type.BYTES_PER_ELEMENT, 4);
  let order = new Uint32Array(data.length);
  let count = 0;
  for (let cell = 0; cell < data.length; cell++) if (data[cell] === data[cell]) order[count++] = cell;
  order = order.subarray(0, count);
  for (const word of words) for (let shift = 0; shift < bits; shift += DIGIT) order = sortedBy(word, shift, order);
  return order;
}

/** Numbers as whole ones in the same order, of 32 bits each or, least first, of twice 32. */
function wordsOf(data, Type) {
  if (Type === Uint8Array || Type === Uint16Array) return [Uint32Array.from(data)];
  const all = new Uint32Array(new Type(data).buffer);
  const count = all.length / data.length;
  const words = Array.from({ length: count }, () => new Uint32Array(data.length));
  for (let cell = 0, n = 0; cell < data.length; cell++, n += count) {
    const negative = all[n + count - 1] >= SIGN;
    for (let k = 0; k < count; k++) words[k][cell] = negative ? ~all[n + k] : all[n + k];
    if (!negative) words[count - 1][cell] |= SIGN;
  }
  return words;
}

/** Cells by one digit of their numbers; those with the same digit stay in their order. */
function sortedBy(word, shift, order) {
  const starts = new Uint32Array((1 << DIGIT) + 1);
  const mask = (1 << DIGIT) - 1;
  for (let n = 0; n < order.length; n++) starts[((word[order[n]] >>> shift) & mask) + 1]++;
  for (let n = 1; n < starts.length; n++) starts[n] += starts[n - 1];
  const result = new Uint32Array(order.length);
  for (let n = 0; n < order.length; n++) result[starts[(word[order[n]] >>> shift) & mask]++] = order[n];
  return result;
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

/** Places from 0 to that of cells without a number, `sorted.length`, which is after all others and counts as no member. */
function slidePlaces(sorted, { all, runs }, indexOf) {
  const none = sorted.length;
  const bits = new Int32Array((none >>> 5) + 1);
  return (values, o, step, count, cells, start, move) => {
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

/**
 * The cell of a rank under every window of a padded plane. Cells without a number take no part. `indexOf` gives the rank for a number
 * of cells. Windows that share cells follow each other: with dilation 2 and stride 1, every second one.
 */
export function rankWindows([hOut, wOut], { data, width }, taps, stride, dilation, Type, indexOf) {
  const isByte = Type === Uint8Array;
  const apart = dilation[1] / greatestDivisor(stride[1], dilation[1]);
  const move = apart * stride[1];
  const offsets = offsetsOf(taps, width, dilation, move);
  const values = new Float64Array(hOut * wOut).fill(NaN);
  const rows = isByte ? hOut : Math.max(Math.floor(ROWS / stride[0]), 1);
  for (let top = 0; top < hOut; top += rows) {
    const end = Math.min(top + rows, hOut);
    const last = (end - 1) * stride[0] + (taps.length - 1) * dilation[0];
    const part = data.subarray(top * stride[0] * width, (last + 1) * width);
    const { cells, sorted } = isByte ? { cells: part } : placesOf(part, Type);
    const slide = isByte ? slideLevels(offsets, indexOf) : slidePlaces(sorted, offsets, indexOf);
    for (let i = top; i < end; i++) {
      for (let j = 0; j < Math.min(apart, wOut); j++) {
        slide(values, i * wOut + j, apart, Math.ceil((wOut - j) / apart), cells, (i - top) * stride[0] * width + j * stride[1], move);
      }
    }
  }
  return values;
}

/** The place of every cell among `sorted` values; one without a number has the place after them. */
function placesOf(data, Type) {
  const order = ascending(data, Type);
  const cells = new Int32Array(data.length).fill(order.length);
  const sorted = new Float64Array(order.length);
  for (let n = 0; n < order.length; n++) {
    cells[order[n]] = n;
    sorted[n] = data[order[n]];
  }
  return { cells, sorted };
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
