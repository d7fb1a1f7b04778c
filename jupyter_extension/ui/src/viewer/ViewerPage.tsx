import { useEffect } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Announcer } from '../parts/Announcer';
import { LinkNotice } from '../parts/LinkNotice';
import { Problem } from '../parts/Problem';
import { useIdle } from '../idle/useIdle';
import { useReady } from '../ready/useReady';
import { hasEnded } from '../sessions/status';
import { useNow } from '../time/useNow';
import { DesktopView } from './DesktopView';
import { EndedPage } from './EndedPage';
import { FullPage } from './FullPage';
import { ProgressPage } from './ProgressPage';
import { UnknownPage } from './UnknownPage';
import { useSession } from './useSession';
import { readyLook, sessionLook, showInWindow } from './windowTitle';

export function ViewerPage({ sessionId }: { sessionId: string }) {
  const { t } = useSpeech();
  const { session, error, lookUp } = useSession(sessionId);
  if (session) {
    return (
      <>
        <KnownSession session={session} />
        <Announcer />
      </>
    );
  }
  if (error?.status === 404) {
    return <UnknownPage sessionId={sessionId} />;
  }
  return (
    <FullPage>
      <LinkNotice />
      {error ? <Problem error={error} retry={lookUp} /> : <p className="quiet">{t.loading}</p>}
    </FullPage>
  );
}

function KnownSession({ session }: { session: Session }) {
  const { t } = useSpeech();
  const now = useNow();
  const ready = useReady(session.session_id);
  useIdle(session.session_id);
  useEffect(
    () => showInWindow(ready.length > 0 ? readyLook(t, ready) : sessionLook(t, session)),
    [t, session, ready],
  );
  if (hasEnded(session.status)) {
    return <EndedPage session={session} now={now} />;
  }
  if (session.status === 'running' && session.stream_url) {
    return <DesktopView session={session} streamUrl={session.stream_url} now={now} />;
  }
  return <ProgressPage session={session} now={now} />;
}
