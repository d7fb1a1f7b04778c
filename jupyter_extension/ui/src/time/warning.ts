import { secondsUntil } from './format';

/** Seconds before the end at which the user is told, once each. */
const WARN_AT = [600, 300, 60];

/** The warning that is due, in seconds before the end; a session shorter than one goes without it. */
export function dueWarning(
  endsAt: string | null,
  startedAt: string | null,
  now: number,
): number | undefined {
  if (endsAt === null) {
    return undefined;
  }
  const left = secondsUntil(endsAt, now);
  const length = startedAt === null ? Infinity : secondsUntil(endsAt, Date.parse(startedAt));
  return left > 0 ? WARN_AT.filter((at) => left <= at && length > at).pop() : undefined;
}
