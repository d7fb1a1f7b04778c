/** An SVG path through the values, from zero at the bottom; it is broken where one is not known. */
export function lineOf(values: readonly (number | null)[], width: number, height: number): string {
  const most = Math.max(...values.map((value) => value ?? 0)) || 1;
  const step = width / Math.max(values.length - 1, 1);
  let pen = 'M';
  return values
    .map((value, i) => {
      if (value === null) {
        pen = 'M';
        return '';
      }
      // A line's width of room, or the highest would be cut.
      const y = height - 1 - (value / most) * (height - 2);
      // The line of no length is a dot where nothing follows.
      const point = `${pen}${(i * step).toFixed(1)} ${y.toFixed(1)}${pen === 'M' ? 'h0' : ''}`;
      pen = 'L';
      return point;
    })
    .join('');
}
