import { useSpeech } from '../i18n/Language';
import { durationParts, formatMoment, secondsUntil } from '../time/format';

const WARN_BELOW_SECONDS = 600;

/** While there is still time to save something. */
export function endsSoon(endsAt: string | null, now: number): boolean {
  const left = endsAt === null ? 0 : secondsUntil(endsAt, now);
  return left > 0 && left < WARN_BELOW_SECONDS;
}

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
