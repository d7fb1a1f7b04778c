import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { valuesOf } from '../launch/form';
import { summaryOf } from '../launch/summary';
import { NativeSection } from '../native/NativeSection';
import { Moon } from '../parts/Moon';
import { TellMe } from '../ready/TellMe';
import { formatMoment } from '../time/format';
import { QueueFacts } from './QueueFacts';
import { allocatedTo } from './allocation';
import { cardId, revealCard } from './revealCard';
import { SessionActions } from './SessionActions';
import { EndedFacts, Notes, RunningFacts, Stale } from './SessionFacts';
import { hasEnded } from './status';
import { StepList } from './StepList';

export function SessionCard({ session, now }: { session: Session; now: number }) {
  const { t, language } = useSpeech();
  const { session_id, status, request } = session;
  const titleId = `${cardId(session_id)}-title`;
  return (
    <article
      id={cardId(session_id)}
      className={`card card-${status}`}
      aria-labelledby={titleId}
      data-testid="session-card"
      data-session-id={session_id}
      data-status={status}
    >
      <header className="card-head">
        <Moon session={session} />
        <div className="card-title">
          <h3 id={titleId}>{session.image_name}</h3>
          <p className="quiet">
            {t.session.launchedAt} {formatMoment(session.created_at, language, now)}
            {session.slurm_job_id && ` · ${t.session.job} ${session.slurm_job_id}`}
            {session.door && ` · ${t.session.from(t.doors[session.door] ?? session.door)}`}
          </p>
        </div>
        <span className={`status status-${status}`}>{t.status[status]}</span>
      </header>
      <Stale session={session} now={now} />
      {status === 'pending' && <QueueFacts session={session} now={now} />}
      <TellMe session={session} now={now} />
      {status === 'starting' && <StepList steps={session.steps} />}
      {status === 'running' && <RunningFacts session={session} now={now} />}
      {hasEnded(status) && <EndedFacts session={session} now={now} />}
      <Notes notes={session.notes} />
      <p className="asked" data-testid="resources">
        <span className="visually-hidden">{t.session.resources}: </span>
        {session.allocation ? allocatedTo(t, session) : summaryOf(t, language, valuesOf(request))}
      </p>
      <SessionActions session={session} onStartedAgain={(next) => revealCard(next.session_id)} />
      {status === 'running' && session.host === 'sunshine' && (
        <NativeSection sessionId={session_id} />
      )}
    </article>
  );
}
