import type { Session, Status } from '../api/types';

const ENDED: ReadonlySet<Status> = new Set(['completed', 'failed', 'cancelled', 'timeout']);

export const hasEnded = (status: Status): boolean => ENDED.has(status);

/** What really encodes the picture; an older server says it only in the step of the first one. */
export const encoderOf = ({ encoder, steps }: Session): string =>
  encoder ?? steps.find(({ id, state }) => id === 'picture' && state === 'done')?.detail ?? '';

export interface Shelves {
  /** Those that wait or run, newest first. */
  live: Session[];
  /** The one that ended last is first. */
  ended: Session[];
}

export function shelve(sessions: readonly Session[]): Shelves {
  const newestFirst = (moment: (session: Session) => string) => (a: Session, b: Session) =>
    Date.parse(moment(b)) - Date.parse(moment(a));
  const live = sessions.filter(({ status }) => !hasEnded(status));
  const ended = sessions.filter(({ status }) => hasEnded(status));
  return {
    live: live.sort(newestFirst(({ created_at }) => created_at)),
    ended: ended.sort(newestFirst(({ ended_at, created_at }) => ended_at ?? created_at)),
  };
}
