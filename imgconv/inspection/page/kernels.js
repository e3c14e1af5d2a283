// Kernels: whole taps, rotations, typed matrices, and the reference that a command line takes.

const SNAP = 1e-12; // quotients of taps this close to a whole number count as whole
const EXACT = 2 ** 24;

/** Taps and divisor in whole numbers where all taps are multiples of the smallest (1/9, or 1/16 and 2/16), else both unchanged. */
export function wholeTaps(taps, divisor, largest) {
  const sizes = taps.flat(2).map(Math.abs).filter(Boolean);
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (!sizes.length || sizes.every(Number.isInteger)) return { taps, divisor };
  const unit = Math.min(...sizes);
  if (sum >= (EXACT / largest) * unit) return { taps, divisor };
  if (sizes.some((size) => Math.abs(Math.round(size / unit) - size / unit) > SNAP)) return { taps, divisor };
  const scaled = divisor / unit;
  const near = Math.round(scaled);
  const whole = (value) => (Array.isArray(value) ? value.map(whole) : Math.round(value / unit));
  return { taps: whole(taps), divisor: near && Math.abs(scaled - near) <= SNAP * Math.abs(near) ? near : scaled };
}

/** Rows in the opposite order, and each row too: a kernel turned by 180 degrees. */
export function flipped(taps) {
  return [...taps].reverse().map((row) => [...row].reverse());
}

/** Taps turned clockwise: a 3x3 kernel by 45 degrees around its ring, any other by 90 degrees. */
export function rotated(taps) {
  if (taps.length !== 3 || taps[0].length !== 3) return taps[0].map((_, j) => taps.map((row) => row[j]).reverse());
  const ring = [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 2],
    [2, 2],
    [2, 1],
    [2, 0],
    [1, 0],
  ];
  const turned = taps.map((row) => [...row]);
  ring.forEach(([i, j], n) => {
    const [from, across] = ring[(n + 7) % 8];
    turned[i][j] = taps[from][across];
  });
  return turned;
}

/** Taps with another size: cells are cut off at, or zeros are added to, the bottom and the right. */
export function resized(taps, [height, width]) {
  return Array.from({ length: height }, (_, i) => Array.from({ length: width }, (_, j) => taps[i]?.[j] ?? 0));
}

/** Taps as a matrix that the command line reads. */
export function matrixText(taps, divisor) {
  return taps.map((row) => row.join(" ")).join("; ") + (divisor === 1 ? "" : ` / ${divisor}`);
}

/** The taps and the divisor of a typed matrix, null for a text that is none. */
export function readMatrix(text) {
  const [matrix, divisor = "1", ...rest] = text.split("/");
  const taps = matrix.split(";").map((row) =>
    row
      .trim()
      .split(/[\s,]+/)
      .map(Number),
  );
  const regular = taps.every((row) => row.length === taps[0].length && row.every(Number.isFinite));
  const number = Number(divisor);
  return rest.length || !regular || !number || !Number.isFinite(number) || !matrix.trim() ? null : { taps, divisor: number };
}
