import { useSpeech } from '../i18n/Language';
import { durationParts, formatMoment, secondsUntil } from '../time/format';

const WARN_BELOW_SECONDS = 600;

export const endsSoon = (endsAt: string | null, now: number): boolean =>
  endsAt !== null && secondsUntil(endsAt, now) < WARN_BELOW_SECONDS;

/** Counts down to the end of a session. A timer role keeps screen readers from reading each second. */
export function TimeLeft({ endsAt, now, until }: { endsAt: string; now: number; until?: boolean }) {
  const { t, language } = useSpeech();
  return (
    <span className={endsSoon(endsAt, now) ? 'time-left time-short' : 'time-left'}>
      <span role="timer">{t.duration(durationParts(secondsUntil(endsAt, now)))}</span>
      {until && (
        <span className="until"> {t.session.ends(formatMoment(endsAt, language, now))}</span>
      )}
    </span>
  );
}
