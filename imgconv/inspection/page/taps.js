// The loops over the taps of windows: what every window of a row adds up, or the largest cell under it.

const LEAST_ACROSS = 5; // taps in a row for which groups of them take less time
const LEAST_MEMBERS = 2; // taps of a group, on average, for which they do
const LEAST_BLOCKS = 2; // of eight windows in a row, for which windows are taken in steps

/**
 * Add the products of the cells of windows and taps (rows of numbers) to `sums` (hOut * wOut), taps in reading order. Taps of 0 add
 * nothing if the cells are `finite`; others may be NaN or infinite.
 */
export function addWindows(sums, output, plane, taps, stride, dilation, finite = true) {
  const joins = finite && stride[1] === 1 && taps[0].length >= LEAST_ACROSS && output[1] >= LEAST_BLOCKS * 8 * dilation[1];
  const groups = joins ? groupsOf(taps) : [];
  const members = taps.flat().filter(Boolean).length;
  if (members < LEAST_MEMBERS * groups.length || !groups.length) {
    overTaps(addTaps, sums, output, plane, taps, stride, dilation, (tap) => tap !== 0 || !finite);
    return;
  }
  const { data, width } = plane;
  const weights = Float64Array.from(groups.flatMap(({ group }) => group));
  const sizes = Uint8Array.from(groups, ({ group }) => group.length);
  const offsets = Int32Array.from(groups, ({ u, v }) => u * dilation[0] * width + v * dilation[1]);
  const list = { weights, sizes, offsets, step: dilation[1] };
  for (let i = 0; i < output[0]; i++) addGroups(sums, data, i * output[1], (i + 1) * output[1], list, i * stride[0] * width);
}

/** Taps in groups of three or four neighbours of a row, {u, v, group}, in which 0 stands for those of the group before. */
function groupsOf(taps) {
  const groups = [];
  for (const [u, line] of taps.entries()) {
    for (let v = line.findIndex(Boolean); v >= 0 && v < line.length; ) {
      const first = Math.min(v, line.length - 3);
      const group = line.slice(first, first + 4).fill(0, 0, v - first);
      groups.push({ u, v: first, group });
      for (v = first + group.length; line[v] === 0; ) v++;
    }
  }
  return groups;
}

/** Call `work` for every row of results, with the weights and the places of the taps that are members. */
export function overTaps(work, results, [hOut, wOut], plane, taps, stride, dilation, isMember = Boolean) {
  const { data, width, placeOf } = byPhase(plane, stride[1]);
  const place = (u, v) => u * dilation[0] * width + placeOf(v * dilation[1]);
  const places = taps.flatMap((line, u) => line.flatMap((tap, v) => (isMember(tap) ? place(u, v) : [])));
  const [weights, offsets] = [Float64Array.from(taps.flat().filter(isMember)), Int32Array.from(places)];
  for (let i = 0; i < hOut; i++) work(results, data, i * wOut, (i + 1) * wOut, weights, offsets, i * stride[0] * width);
}

/** A plane whose rows hold every `stride`th cell from the first one, then from the second one and so on, so that windows are neighbours. */
function byPhase({ data, width }, stride) {
  if (stride === 1) return { data, width, placeOf: (column) => column };
  const count = Math.ceil(width / stride);
  const placeOf = (column) => (column % stride) * count + Math.floor(column / stride);
  const places = Int32Array.from({ length: width }, (_, column) => placeOf(column));
  const rows = data.length / width;
  const out = new Float64Array(rows * count * stride);
  for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) out[i * count * stride + places[j]] = data[i * width + j];
  return { data: out, width: count * stride, placeOf };
}

/** Add the products of all taps to the sums from `first` to `end`, eight sums at a time, which stay in registers. */
export function addTaps(sums, data, first, end, weights, offsets, start) {
  const count = weights.length;
  let o = first | 0; // whole for the compiler too: if it saw another number here once, the loop would take twice as long
  let j = start | 0;
  for (; o + 8 <= end; o += 8, j += 8) {
    let a = sums[o];
    let b = sums[o + 1];
    let c = sums[o + 2];
    let d = sums[o + 3];
    let e = sums[o + 4];
    let f = sums[o + 5];
    let g = sums[o + 6];
    let h = sums[o + 7];
    for (let n = 0; n < count; n++) {
      const weight = weights[n];
      const q = j + offsets[n];
      a += weight * data[q];
      b += weight * data[q + 1];
      c += weight * data[q + 2];
      d += weight * data[q + 3];
      e += weight * data[q + 4];
      f += weight * data[q + 5];
      g += weight * data[q + 6];
      h += weight * data[q + 7];
    }
    sums[o] = a;
    sums[o + 1] = b;
    sums[o + 2] = c;
    sums[o + 3] = d;
    sums[o + 4] = e;
    sums[o + 5] = f;
    sums[o + 6] = g;
    sums[o + 7] = h;
  }
  for (; o < end; o++, j++) for (let n = 0; n < count; n++) sums[o] += weights[n] * data[j + offsets[n]];
}

/** `addTaps` for groups of three or four taps, whose cells are read once for all of them. Eight sums are `step` apart, as the taps are. */
function addGroups(sums, data, first, end, groups, start) {
  const { weights, sizes, offsets } = groups;
  const count = offsets.length;
  const step = groups.step | 0;
  for (let phase = 0; phase < step; phase++) {
    let o = (first + phase) | 0;
    let j = (start + phase) | 0;
    for (; o + 7 * step < end; o += 8 * step, j += 8 * step) {
      let p = o;
      let a = sums[p];
      let b = sums[(p += step)];
      let c = sums[(p += step)];
      let d = sums[(p += step)];
      let e = sums[(p += step)];
      let f = sums[(p += step)];
      let g = sums[(p += step)];
      let h = sums[(p += step)];
      for (let n = 0, w = 0; n < count; n++) {
        const s = weights[w++];
        const t = weights[w++];
        const u = weights[w++];
        let q = j + offsets[n];
        if (sizes[n] === 3) {
          let x = data[q];
          a += s * x;
          x = data[(q += step)];
          a += t * x;
          b += s * x;
          x = data[(q += step)];
          a += u * x;
          b += t * x;
          c += s * x;
          x = data[(q += step)];
          b += u * x;
          c += t * x;
          d += s * x;
          x = data[(q += step)];
          c += u * x;
          d += t * x;
          e += s * x;
          x = data[(q += step)];
          d += u * x;
          e += t * x;
          f += s * x;
          x = data[(q += step)];
          e += u * x;
          f += t * x;
          g += s * x;
          x = data[(q += step)];
          f += u * x;
          g += t * x;
          h += s * x;
          x = data[(q += step)];
          g += u * x;
          h += t * x;
          x = data[(q += step)];
          h += u * x;
          continue;
        }
        const v = weights[w++];
        let x = data[q];
        a += s * x;
        x = data[(q += step)];
        a += t * x;
        b += s * x;
        x = data[(q += step)];
        a += u * x;
        b += t * x;
        c += s * x;
        x = data[(q += step)];
        a += v * x;
        b += u * x;
        c += t * x;
        d += s * x;
        x = data[(q += step)];
        b += v * x;
        c += u * x;
        d += t * x;
        e += s * x;
        x = data[(q += step)];
        c += v * x;
        d += u * x;
        e += t * x;
        f += s * x;
        x = data[(q += step)];
        d += v * x;
        e += u * x;
        f += t * x;
        g += s * x;
        x = data[(q += step)];
        e += v * x;
        f += u * x;
        g += t * x;
        h += s * x;
        x = data[(q += step)];
        f += v * x;
        g += u * x;
        h += t * x;
        x = data[(q += step)];
        g += v * x;
        h += u * x;
        x = data[(q += step)];
        h += v * x;
      }
      p = o;
      sums[p] = a;
      sums[(p += step)] = b;
      sums[(p += step)] = c;
      sums[(p += step)] = d;
      sums[(p += step)] = e;
      sums[(p += step)] = f;
      sums[(p += step)] = g;
      sums[(p += step)] = h;
    }
    for (; o < end; o += step, j += step) addOne(sums, o, data, j, groups);
  }
}

/** Add the products of groups of taps to one sum. */
function addOne(sums, o, data, start, { weights, sizes, offsets, step }) {
  for (let n = 0, w = 0; n < offsets.length; n++) {
    for (let k = 0, q = start + offsets[n]; k < sizes[n]; k++, q += step) sums[o] += weights[w++] * data[q];
  }
}

/** Raise the values from `first` to `end` to the largest cell under a tap, eight at a time as `addTaps` does. */
export function raiseToTaps(values, data, first, end, weights, offsets, start) {
  const count = offsets.length;
  let o = first | 0;
  let j = start | 0;
  for (; o + 8 <= end; o += 8, j += 8) {
    let a = values[o];
    let b = values[o + 1];
    let c = values[o + 2];
    let d = values[o + 3];
    let e = values[o + 4];
    let f = values[o + 5];
    let g = values[o + 6];
    let h = values[o + 7];
    for (let n = 0; n < count; n++) {
      const q = j + offsets[n];
      a = Math.max(a, data[q]);
      b = Math.max(b, data[q + 1]);
      c = Math.max(c, data[q + 2]);
      d = Math.max(d, data[q + 3]);
      e = Math.max(e, data[q + 4]);
      f = Math.max(f, data[q + 5]);
      g = Math.max(g, data[q + 6]);
      h = Math.max(h, data[q + 7]);
    }
    values[o] = a;
    values[o + 1] = b;
    values[o + 2] = c;
    values[o + 3] = d;
    values[o + 4] = e;
    values[o + 5] = f;
    values[o + 6] = g;
    values[o + 7] = h;
  }
  for (; o < end; o++, j++) for (let n = 0; n < count; n++) values[o] = Math.max(values[o], data[j + offsets[n]]);
}
