import { useEffect } from 'react';

import { useSpeech } from '../i18n/Language';
import { useIdle } from '../idle/useIdle';
import { LaunchPanel } from '../launch/LaunchPanel';
import { Announcer } from '../parts/Announcer';
import { Crescent } from '../parts/Crescent';
import { Header } from '../parts/Header';
import { LinkNotice } from '../parts/LinkNotice';
import { useReady } from '../ready/useReady';
import { EndedList } from '../sessions/EndedList';
import { useFeed, usePortal } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';
import { SessionCard } from '../sessions/SessionCard';
import { shelve } from '../sessions/status';
import { useNow } from '../time/useNow';
import { homeLook, showInWindow } from '../viewer/windowTitle';

export function HomePage() {
  const { t } = useSpeech();
  const feed = useFeed();
  const ready = useReady();
  useIdle();
  useEffect(() => showInWindow(homeLook(t, sessionsOf(feed), ready)), [t, feed, ready]);
  return (
    <>
      <Header />
      <main id="content" className="home" tabIndex={-1}>
        <h1 className="visually-hidden">{t.windowTitle.home}</h1>
        <div className="home-notices">
          <LinkNotice />
        </div>
        <SessionList />
        <aside className="home-launch">
          <LaunchPanel />
        </aside>
      </main>
      <Announcer />
    </>
  );
}

function SessionList() {
  const { t } = useSpeech();
  const { join } = usePortal().door;
  const feed = useFeed();
  const now = useNow();
  const { live, ended } = shelve(sessionsOf(feed));
  return (
    <>
      <section className="home-sessions" aria-labelledby="sessions-title" aria-busy={!feed.loaded}>
        <h2 id="sessions-title">{t.sessions.title}</h2>
        {!feed.loaded && feed.link === 'connecting' && <p className="quiet">{t.loading}</p>}
        {feed.loaded && live.length === 0 && ended.length > 0 && (
          <p className="quiet">{t.desktops.nothingRuns}</p>
        )}
        {feed.loaded && live.length + ended.length === 0 && (
          <div className="empty">
            <Crescent size={64} />
            <p className="empty-title">{t.sessions.none}</p>
            <p>{t.sessions.noneHint}</p>
          </div>
        )}
        {live.map((session) => (
          <SessionCard key={session.session_id} session={session} now={now} />
        ))}
        {join && (
          <p>
            <a href={join} data-testid="join-another">
              {t.sharing.join}
            </a>
          </p>
        )}
      </section>
      {ended.length > 0 && <EndedList sessions={ended} now={now} />}
    </>
  );
}
