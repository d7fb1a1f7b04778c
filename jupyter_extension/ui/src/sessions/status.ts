import type { Session, Status } from '../api/types';

const ENDED: ReadonlySet<Status> = new Set(['completed', 'failed', 'cancelled', 'timeout']);
const STAYS_IN_VIEW_MS = 10 * 60_000;

export const hasEnded = (status: Status): boolean => ENDED.has(status);

/** What really encodes the picture; an older server says it only in the step of the first one. */
export const encoderOf = ({ encoder, steps }: Session): string =>
  encoder ?? steps.find(({ id, state }) => id === 'picture' && state === 'done')?.detail ?? '';

export interface Shelves {
  /** Live sessions and those that ended just now, newest first. */
  current: Session[];
  /** Ended longer ago, newest first. */
  earlier: Session[];
}

export function shelve(sessions: readonly Session[], now: number): Shelves {
  const newestFirst = [...sessions].sort(
    (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at),
  );
  const isCurrent = ({ status, ended_at, created_at }: Session): boolean =>
    !hasEnded(status) || now - Date.parse(ended_at ?? created_at) < STAYS_IN_VIEW_MS;
  return {
    current: newestFirst.filter(isCurrent),
    earlier: newestFirst.filter((session) => !isCurrent(session)),
  };
}
