import { asApiError, type ApiError } from '../api/errors';
import type { Session } from '../api/types';

/** Of so many that were kept it is found out why; the rest have most likely the same reason. */
const ASKED = 3;

export interface Kept {
  session: Session;
  /** What the server says of this one; null of those that it was not asked about. */
  why: ApiError | null;
}

/**
 * Deletes what is on record of all that have ended. Those that the server leaves out, because their jobs
 * may still be there or their records cannot be changed, are asked for one by one: then it says why, or
 * it can be done by now.
 *
 * @param forget deletes one, or all for null; gives the ids of what is deleted
 * @param gone hears of what is deleted, as soon as it is
 */
export async function forgetAll(
  sessions: readonly Session[],
  forget: (id: string | null) => Promise<string[]>,
  gone: (ids: readonly string[]) => void,
): Promise<Kept[]> {
  const deleted = await forget(null);
  gone(deleted);
  const kept: Kept[] = [];
  for (const session of sessions.filter(({ session_id: id }) => !deleted.includes(id))) {
    try {
      if (kept.length >= ASKED) {
        kept.push({ session, why: null });
      } else {
        gone(await forget(session.session_id));
      }
    } catch (cause) {
      const why = asApiError(cause);
      if (why.code === 'not_found') {
        gone([session.session_id]); // somebody else was quicker
      } else {
        kept.push({ session, why });
      }
    }
  }
  return kept;
}
