import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { LinkNotice } from '../parts/LinkNotice';
import { Moon } from '../parts/Moon';
import { TellMe } from '../ready/TellMe';
import { QueueFacts } from '../sessions/QueueFacts';
import { SessionActions } from '../sessions/SessionActions';
import { Notes, Stale } from '../sessions/SessionFacts';
import { StepList } from '../sessions/StepList';
import { FullPage } from './FullPage';
import { MineLink } from './MineLink';
import { calledOf } from '../sessions/called';

/** A desktop on its way: its place in the queue, then the steps of its start. */
export function ProgressPage({ session, now }: { session: Session; now: number }) {
  const { t } = useSpeech();
  const stopping = session.status === 'stopping';
  return (
    <FullPage>
      <div className="full-moon">
        <Moon session={session} size={92} />
      </div>
      <h1>{calledOf(session)}</h1>
      <p className="full-status">{stopping ? t.viewer.stopping : t.status[session.status]}</p>
      <LinkNotice />
      <Stale session={session} now={now} />
      {session.status === 'pending' && <QueueFacts session={session} now={now} />}
      <TellMe session={session} now={now} />
      {session.status === 'starting' && <StepList steps={session.steps} />}
      <Notes session={session} />
      {!stopping && <p className="quiet">{t.viewer.waiting}</p>}
      <SessionActions session={session} inViewer onStartedAgain={() => undefined} />
      <MineLink />
    </FullPage>
  );
}
