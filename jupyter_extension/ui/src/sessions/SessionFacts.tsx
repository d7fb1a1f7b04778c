import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { endReason, noteText, staleReason } from '../i18n/wording';
import { idleRule } from '../idle/idle';
import { formatMoment, formatRelative } from '../time/format';
import { factsOf } from './facts';
import { endsSoon, TimeLeft } from './TimeLeft';

interface Props {
  session: Session;
  now: number;
}

export function RunningFacts({ session, now }: Props) {
  const { t } = useSpeech();
  const { ends_at } = session;
  const rule = idleRule(t, session);
  return (
    <>
      <dl className="facts">
        {!ends_at && session.allocation && (
          <div>
            <dt>{t.session.timeLeft}</dt>
            <dd>{t.session.endUnknown}</dd>
          </div>
        )}
        {ends_at && (
          <div className="fact-big">
            <dt>{t.session.timeLeft}</dt>
            <dd>
              <TimeLeft endsAt={ends_at} now={now} until />
            </dd>
          </div>
        )}
        {factsOf(t, session).map(({ label, value, named }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd translate={named ? 'no' : undefined}>{value}</dd>
          </div>
        ))}
      </dl>
      {rule && <p className="quiet">{rule}</p>}
      {endsSoon(ends_at, now) && <p className="hint">{t.session.endsSoon}</p>}
    </>
  );
}

export function EndedFacts({ session, now }: Props) {
  const { t, language } = useSpeech();
  const { ended_at, node, session_id } = session;
  return (
    <>
      <p className="end-reason">{endReason(t, session)}</p>
      <dl className="facts">
        {ended_at && (
          <div>
            <dt>{t.session.endedAt}</dt>
            <dd>
              <time dateTime={ended_at}>{formatMoment(ended_at, language, now)}</time> (
              {formatRelative(ended_at, language, now)})
            </dd>
          </div>
        )}
        {node && (
          <div>
            <dt>{t.session.node}</dt>
            <dd>{node}</dd>
          </div>
        )}
        <div>
          <dt>{t.session.id}</dt>
          <dd className="mono">{session_id}</dd>
        </div>
      </dl>
    </>
  );
}

/** The same in two lines: a card of what is over is a short one. */
export function EndedLine({ session, now }: Props) {
  const { t, language } = useSpeech();
  const { ended_at, node, session_id } = session;
  return (
    <>
      <p className="end-reason">{endReason(t, session)}</p>
      <p className="asked">
        {ended_at && (
          <>
            {t.session.endedAt}{' '}
            <time dateTime={ended_at}>{formatMoment(ended_at, language, now)}</time> (
            {formatRelative(ended_at, language, now)}) ·{' '}
          </>
        )}
        {node && `${node} · `}
        <span className="mono">{session_id}</span>
      </p>
    </>
  );
}

export function Stale({ session, now }: Props) {
  const { t, language } = useSpeech();
  return session.stale_since ? (
    <p className="hint" role="status">
      {staleReason(t, session, formatMoment(session.stale_since, language, now))}
    </p>
  ) : null;
}

export function Notes({ session }: { session: Session }) {
  const { t } = useSpeech();
  const { notes } = session;
  return notes.length > 0 ? (
    <ul className="notes" aria-label={t.session.notes}>
      {notes.map((note, at) => (
        <li key={note}>{noteText(t, session, at)}</li>
      ))}
    </ul>
  ) : null;
}
