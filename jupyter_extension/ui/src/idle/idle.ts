import type { Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';
import { durationParts } from '../time/format';

export type IdleEnds = ReadonlyMap<string, string | null>;

export const idleEndsOf = (sessions: readonly Session[]): IdleEnds =>
  new Map(sessions.map((session) => [session.session_id, session.idle_ends_at ?? null]));

/** Those that nobody seems to use, of which that was not so when they were last seen. */
export const becameIdle = (before: IdleEnds, sessions: readonly Session[]): Session[] =>
  sessions.filter(
    ({ session_id, status, idle_ends_at }) =>
      status === 'running' && idle_ends_at && before.get(session_id) === null,
  );

/** What the site does with a desktop that nobody uses; empty where it does nothing. */
export function idleRule(t: Dictionary, { status, idle_minutes }: Session): string {
  const rules = status === 'running' && idle_minutes;
  return rules ? t.idle.rule(t.duration(durationParts(rules * 60))) : '';
}
