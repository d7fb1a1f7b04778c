import type { Session } from '../api/types';
import { hasEnded } from '../sessions/status';

/** How much of the moon is lit: it waxes while a desktop starts and is full when it runs. */
export function moonFraction({ status, steps }: Session): number {
  if (status === 'running') {
    return 1;
  }
  if (status === 'starting') {
    const done = steps.filter((step) => step.state === 'done').length;
    return 0.15 + (0.75 * done) / Math.max(steps.length, 1);
  }
  if (status === 'stopping') {
    return 0.3;
  }
  return hasEnded(status) ? 0 : 0.08;
}

/** The lit part of a moon of `radius` around (`centre`, `centre`), as an SVG path. */
export function litPath(fraction: number, centre: number, radius: number): string {
  const top = `${centre} ${centre - radius}`;
  const bottom = `${centre} ${centre + radius}`;
  const bulge = Math.abs(1 - 2 * fraction) * radius;
  const sweep = fraction < 0.5 ? 0 : 1;
  return (
    `M${top}A${radius} ${radius} 0 0 1 ${bottom}` +
    `A${bulge.toFixed(2)} ${radius} 0 0 ${sweep} ${top}Z`
  );
}
