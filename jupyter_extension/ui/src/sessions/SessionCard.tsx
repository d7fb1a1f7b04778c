import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { IdleWarning } from '../idle/IdleWarning';
import { valuesOf } from '../launch/form';
import { summaryOf } from '../launch/summary';
import { NativeSection } from '../native/NativeSection';
import { Icon } from '../parts/Icon';
import { Moon } from '../parts/Moon';
import { Preview } from '../preview/Preview';
import { TellMe } from '../ready/TellMe';
import { formatMoment } from '../time/format';
import { QueueFacts } from './QueueFacts';
import { allocatedTo } from './allocation';
import { calledOf, whichOf } from './called';
import { cardId, revealCard } from './revealCard';
import { SessionActions } from './SessionActions';
import { useSessionDialogs } from './SessionDialogs';
import { EndedLine, Notes, RunningFacts, Stale } from './SessionFacts';
import { hasEnded } from './status';
import { StepList } from './StepList';

export function SessionCard({ session, now }: { session: Session; now: number }) {
  const { t, language } = useSpeech();
  const show = useSessionDialogs();
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
          <h3 id={titleId}>{calledOf(session)}</h3>
          {session.name !== undefined && (
            <button
              type="button"
              className="icon-button card-rename"
              data-testid="rename"
              aria-haspopup="dialog"
              title={t.desktops.rename}
              onClick={() => show('rename', session)}
            >
              <Icon name="pencil" size={16} />
              <span className="visually-hidden">
                {t.desktops.rename}
                {whichOf(t, session)}
              </span>
            </button>
          )}
          <p className="quiet">
            {session.name && `${session.image_name} · `}
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
      {status === 'running' && (
        <div className="running">
          <Preview session={session} />
          <div>
            <RunningFacts session={session} now={now} />
          </div>
        </div>
      )}
      <IdleWarning session={session} now={now} />
      {hasEnded(status) && <EndedLine session={session} now={now} />}
      <Notes session={session} />
      <p className="asked" data-testid="resources">
        <span className="visually-hidden">{t.session.resources}: </span>
        {session.allocation ? allocatedTo(t, session) : summaryOf(t, language, valuesOf(request))}
      </p>
      <SessionActions session={session} onStartedAgain={(next) => revealCard(next.session_id)} />
      {status === 'running' && session.host === 'sunshine' && (
        <NativeSection sessionId={session_id} port={session.sunshine_port} />
      )}
    </article>
  );
}
