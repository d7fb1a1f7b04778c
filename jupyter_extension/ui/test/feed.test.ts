import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiError } from '../src/api/errors';
import { SessionFeed } from '../src/sessions/feed';
import { emptyFeed, reduceFeed, sessionsOf } from '../src/sessions/reducer';
import type { FeedAction, FeedState } from '../src/sessions/reducer';
import { shelve } from '../src/sessions/status';
import { session } from './sample';

const after = (...actions: FeedAction[]): FeedState => actions.reduce(reduceFeed, emptyFeed);
const statuses = (state: FeedState): string[] => sessionsOf(state).map((s) => s.status);
const id = session().session_id;

describe('the feed', () => {
  it('is loaded by a list and follows events', () => {
    const state = after(
      { type: 'list', sessions: [session()], since: 0 },
      { type: 'session', session: session({ status: 'starting' }) },
      { type: 'session', session: session({ session_id: 'other', status: 'running' }) },
    );
    expect(state.loaded).toBe(true);
    expect(statuses(state)).toEqual(['starting', 'running']);
  });

  it('does not let a slow answer overwrite a newer event', () => {
    const asked = after({ type: 'list', sessions: [session()], since: 0 });
    const since = asked.tick;
    const event = reduceFeed(asked, {
      type: 'session',
      session: session({ status: 'running' }),
    });
    const answers: FeedAction[] = [
      { type: 'list', sessions: [session({ status: 'pending' })], since },
      { type: 'session', session: session({ status: 'pending' }), since },
    ];
    for (const answer of answers) {
      expect(statuses(reduceFeed(event, answer))).toEqual(['running']);
    }
  });

  it('keeps a session that was launched while the list was under way', () => {
    const since = emptyFeed.tick;
    const state = after(
      { type: 'session', session: session({ session_id: 'new' }) },
      { type: 'list', sessions: [], since },
    );
    expect(sessionsOf(state).map((s) => s.session_id)).toEqual(['new']);
  });

  it('drops what a later list does not have', () => {
    const known = after({ type: 'list', sessions: [session()], since: 0 });
    const state = reduceFeed(known, { type: 'list', sessions: [], since: known.tick });
    expect(sessionsOf(state)).toEqual([]);
  });

  it('never brings an ended session back to life', () => {
    const state = after(
      { type: 'session', session: session({ status: 'failed' }) },
      { type: 'session', session: session({ status: 'running' }) },
    );
    expect(statuses(state)).toEqual(['failed']);
  });

  it('forgets a removed session, also when an older answer still has it', () => {
    const known = after({ type: 'list', sessions: [session()], since: 0 });
    const removed = reduceFeed(known, { type: 'removed', sessionId: id });
    expect(sessionsOf(removed)).toEqual([]);
    const late = reduceFeed(removed, { type: 'list', sessions: [session()], since: known.tick });
    expect(sessionsOf(late)).toEqual([]);
  });

  it('keeps its sessions while the link is lost', () => {
    const trouble = new ApiError('refused', 507, 'records_unwritable', 'The store is full.');
    const state = after(
      { type: 'list', sessions: [session()], since: 0 },
      { type: 'link', link: 'lost', trouble },
    );
    expect(state.link).toBe('lost');
    expect(state.trouble).toBe(trouble);
    expect(reduceFeed(state, { type: 'link', link: 'live' }).trouble).toBeNull();
    expect(sessionsOf(state)).toHaveLength(1);
  });
});

describe('a feed that asks too often', () => {
  afterEach(() => vi.useRealTimers());

  it('asks again when the server wants it, not before', async () => {
    vi.useFakeTimers();
    const putOff = new ApiError('refused', 429, 'too_many_requests', 'Too often.', [], 7_000);
    const sessions = vi.fn().mockRejectedValue(putOff);
    const feed = new SessionFeed({ sessions, events: vi.fn() });
    feed.reconnect();
    await vi.advanceTimersByTimeAsync(6_900);
    expect(sessions).toHaveBeenCalledTimes(1);
    expect(feed.getState()).toMatchObject({ link: 'lost', trouble: putOff });
    await vi.advanceTimersByTimeAsync(200);
    expect(sessions).toHaveBeenCalledTimes(2);
  });

  it('leaves the server alone also if it was the events that it refused', async () => {
    vi.useFakeTimers();
    const sessions = vi.fn().mockResolvedValue([]);
    const events = vi.fn((_: unknown, broken: (afterMs: number) => void) => {
      if (events.mock.calls.length === 1) {
        broken(7_000);
      }
      return () => {};
    });
    const feed = new SessionFeed({ sessions, events });
    feed.reconnect();
    await vi.advanceTimersByTimeAsync(6_900);
    expect(sessions).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(sessions).toHaveBeenCalledTimes(2);
  });
});

describe('the shelves', () => {
  it('show what lives first, newest first, and then what ended, the last first', () => {
    const sessions = [
      session({ session_id: 'live', created_at: '2026-11-22T19:00:00Z', status: 'running' }),
      session({ session_id: 'old', status: 'completed', ended_at: '2026-11-22T20:45:00Z' }),
      session({ session_id: 'just', status: 'failed', ended_at: '2026-11-22T20:55:00Z' }),
      session({ session_id: 'waits' }),
    ];
    const { live, ended } = shelve(sessions);
    expect(live.map((s) => s.session_id)).toEqual(['waits', 'live']);
    expect(ended.map((s) => s.session_id)).toEqual(['just', 'old']);
  });
});
