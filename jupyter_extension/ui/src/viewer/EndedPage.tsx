import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { LinkNotice } from '../parts/LinkNotice';
import { Moon } from '../parts/Moon';
import { usePortal } from '../sessions/Portal';
import { SessionActions } from '../sessions/SessionActions';
import { EndedFacts, Notes } from '../sessions/SessionFacts';
import { StepList } from '../sessions/StepList';
import { FullPage } from './FullPage';
import { MineLink } from './MineLink';
import { calledOf } from '../sessions/called';

export function EndedPage({ session, now }: { session: Session; now: number }) {
  const { t } = useSpeech();
  const { door } = usePortal();
  const startFailed = session.steps.some((step) => step.state === 'failed');
  const goTo = (next: Session): void =>
    location.assign(next.web_url ?? door.viewer(next.session_id));
  return (
    <FullPage testId="ended-page">
      <div className="full-moon">
        <Moon session={session} size={92} />
      </div>
      <h1>{t.viewer.ended}</h1>
      <p className="full-status">
        {calledOf(session)} ·{' '}
        <span className={`status status-${session.status}`}>{t.status[session.status]}</span>
      </p>
      <LinkNotice />
      <EndedFacts session={session} now={now} />
      {startFailed && <StepList steps={session.steps} />}
      <Notes session={session} />
      <SessionActions session={session} inViewer onStartedAgain={goTo} />
      {!door.launches && <p>{t.viewer.another}</p>}
      <MineLink />
    </FullPage>
  );
}
