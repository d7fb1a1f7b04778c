import type { Session, Status } from '../api/types';

export type Statuses = ReadonlyMap<string, Status>;

export const statusesOf = (sessions: readonly Session[]): Statuses =>
  new Map(sessions.map((session) => [session.session_id, session.status]));

/** Those that were on their way when they were last seen, and run now. */
export const becameReady = (before: Statuses, sessions: readonly Session[]): Session[] =>
  sessions.filter(({ session_id, status }) => {
    const was = before.get(session_id);
    return status === 'running' && (was === 'pending' || was === 'starting');
  });

const LONG_MS = 30_000;
const LONG_ESTIMATE_MS = 60_000;

/** Whether it waits for so long that its user may do something else meanwhile. */
export function isLongWait({ status, created_at, queue }: Session, now: number): boolean {
  const start = Date.parse(queue?.estimated_start ?? '');
  const waited = now - Date.parse(created_at);
  return status === 'pending' && (waited >= LONG_MS || start - now >= LONG_ESTIMATE_MS);
}
