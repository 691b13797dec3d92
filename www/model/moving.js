// Points that are moved, for exploring: to values of the universal set, and never past their neighbours. No DOM.

/** The values that a point may move to. @param {number[]} points ascending @param {number} index @param {number[]} universal ascending */
function free(points, index, universal) {
  const [low, high] = [points[index - 1] ?? -Infinity, points[index + 1] ?? Infinity];
  return universal.filter((value) => value > low && value < high);
}

/** Points with one of them as near to a place as it can be. @param {number[]} points @param {number} index @param {number[]} universal @param {number} to */
export function movedTo(points, index, universal, to) {
  const [first, ...others] = free(points, index, universal);
  if (first === undefined) return points;
  return points.with(index, others.reduce((best, value) => (Math.abs(value - to) < Math.abs(best - to) ? value : best), first));
}

/** Points with one of them moved to the next free value on a side. @param {number[]} points @param {number} index @param {number[]} universal @param {number} side below or above 0 */
export function movedBeside(points, index, universal, side) {
  const values = free(points, index, universal).filter((value) => (side < 0 ? value < points[index] : value > points[index]));
  const next = side < 0 ? values.at(-1) : values[0];
  return next === undefined ? points : points.with(index, next);
}
