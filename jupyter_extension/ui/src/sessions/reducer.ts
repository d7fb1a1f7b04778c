import type { ApiError } from '../api/errors';
import type { Session } from '../api/types';
import { hasEnded } from './status';

/**
 * `connecting` no answer yet, `live` events arrive, `polling` answers but no events,
 * `lost` the portal does not answer, `expired` it wants a new login, `stopped` the Hub says that
 * the server of this page has ended.
 */
export type Link = 'connecting' | 'live' | 'polling' | 'lost' | 'expired' | 'stopped';

interface Entry {
  session: Session;
  /** The clock of this page's own knowledge when this state was learned. */
  learned: number;
}

export interface FeedState {
  link: Link;
  loaded: boolean;
  /** Why the server does not list the sessions, if it said so itself. */
  trouble: ApiError | null;
  tick: number;
  entries: Readonly<Record<string, Entry>>;
  removed: Readonly<Record<string, number>>;
}

export type FeedAction =
  | { type: 'link'; link: Link; trouble?: ApiError | null }
  /** All sessions, as the server knew them when it was asked at `since`. */
  | { type: 'list'; sessions: readonly Session[]; since: number }
  /** One session: an event (no `since`), or the answer to a call made at `since`. */
  | { type: 'session'; session: Session; since?: number }
  | { type: 'removed'; sessionId: string };

export const emptyFeed: FeedState = {
  link: 'connecting',
  loaded: false,
  trouble: null,
  tick: 0,
  entries: {},
  removed: {},
};

export function reduceFeed(state: FeedState, action: FeedAction): FeedState {
  const tick = state.tick + 1;
  switch (action.type) {
    case 'link':
      return { ...state, link: action.link, trouble: action.trouble ?? null };
    case 'list':
      return {
        ...state,
        tick,
        loaded: true,
        trouble: null,
        entries: mergeList(state, action, tick),
      };
    case 'session': {
      const entry = merge(state, action.session, action.since ?? tick, tick);
      return entry
        ? { ...state, tick, entries: { ...state.entries, [action.session.session_id]: entry } }
        : state;
    }
    case 'removed': {
      const { [action.sessionId]: _gone, ...entries } = state.entries;
      return { ...state, tick, entries, removed: { ...state.removed, [action.sessionId]: tick } };
    }
  }
}

function mergeList(
  state: FeedState,
  { sessions, since }: { sessions: readonly Session[]; since: number },
  tick: number,
): Record<string, Entry> {
  const entries: Record<string, Entry> = {};
  for (const session of sessions) {
    const entry = merge(state, session, since, tick);
    if (entry) {
      entries[session.session_id] = entry;
    }
  }
  for (const [id, entry] of Object.entries(state.entries)) {
    // Launched after the list was asked for, so the list cannot know it.
    if (!(id in entries) && entry.learned > since) {
      entries[id] = entry;
    }
  }
  return entries;
}

/** The entry to keep, or null when the session was removed after `since`. */
function merge(state: FeedState, session: Session, since: number, tick: number): Entry | null {
  const id = session.session_id;
  const known = state.entries[id];
  if ((state.removed[id] ?? -1) > since) {
    return null;
  }
  // An answer may be overtaken by an event; and an ended session never comes back to life.
  const isOlder = known && known.learned > since;
  const revives = known && hasEnded(known.session.status) && !hasEnded(session.status);
  return isOlder || revives ? known : { session, learned: tick };
}

export const sessionsOf = (state: FeedState): Session[] =>
  Object.values(state.entries).map((entry) => entry.session);
