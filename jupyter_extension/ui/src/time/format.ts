const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

export interface DurationParts {
  hours: number;
  minutes: number;
  seconds: number;
}

/** Splits a duration for display: seconds only below ten minutes, where they matter. */
export function durationParts(totalSeconds: number): DurationParts {
  const whole = Math.max(0, Math.floor(totalSeconds));
  const hours = Math.floor(whole / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  return { hours, minutes, seconds: whole < 10 * MINUTE ? whole % MINUTE : 0 };
}

export function secondsUntil(iso: string, now: number): number {
  return (Date.parse(iso) - now) / 1000;
}

/** The clock time, with the date when it is not today's. */
export function formatMoment(iso: string, language: string, now: number): string {
  const moment = new Date(iso);
  const sameDay = moment.toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat(language, {
    ...(sameDay ? {} : { month: 'short', day: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(moment);
}

/** "5 minutes ago", "in 2 hours". */
export function formatRelative(iso: string, language: string, now: number): string {
  const seconds = secondsUntil(iso, now);
  const size = Math.abs(seconds);
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (size < 45) {
    return format.format(0, 'second');
  }
  if (size < HOUR) {
    return format.format(Math.round(seconds / MINUTE), 'minute');
  }
  if (size < DAY) {
    return format.format(Math.round(seconds / HOUR), 'hour');
  }
  return format.format(Math.round(seconds / DAY), 'day');
}
