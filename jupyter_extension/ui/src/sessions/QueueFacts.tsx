import type { Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';
import { useSpeech } from '../i18n/Language';
import { queueReason } from '../i18n/wording';
import { formatMoment, formatRelative } from '../time/format';

function placeOf(t: Dictionary, position: number, pending: number | null, atLeast = false): string {
  if (atLeast) {
    return t.queue.positionAtLeast(position);
  }
  return pending === null ? t.queue.positionAlone(position) : t.queue.position(position, pending);
}

/** Where a pending session stands in the queue, why, and for how long perhaps. */
export function QueueFacts({ session, now }: { session: Session; now: number }) {
  const { t, language } = useSpeech();
  const { queue } = session;
  const { position = null, pending = null, estimated_start = null } = queue ?? {};
  return (
    <dl className="facts queue-facts">
      {position !== null && (
        <div className="fact-big">
          <dt>{t.queue.place}</dt>
          <dd data-testid="queue-position">{placeOf(t, position, pending, queue?.at_least)}</dd>
        </div>
      )}
      <div className="fact-big">
        <dt>{t.queue.estimate}</dt>
        <dd>
          {estimated_start
            ? t.queue.estimateValue(
                formatMoment(estimated_start, language, now),
                formatRelative(estimated_start, language, now),
              )
            : t.queue.noEstimate}
        </dd>
      </div>
      <div className="fact-wide">
        <dt>{t.queue.reason}</dt>
        <dd data-testid="queue-reason">{queueReason(t, session)}</dd>
      </div>
    </dl>
  );
}
