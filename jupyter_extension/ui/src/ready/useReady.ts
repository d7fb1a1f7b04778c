import { useEffect, useRef, useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { calledOf } from '../sessions/called';
import { useFeed, usePortal } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';
import { sessionLook } from '../viewer/windowTitle';
import { becameReady, statusesOf, type Statuses } from './becameReady';
import { isLookedAt } from './lookedAt';
import { notify } from './notify';
import { SeenElsewhere } from './seen';
import { consentStore } from './useConsent';

/** For another tab, which is looked at, to say that it has been seen there. */
const HEAR_MS = 1_000;
const LOOK_MS = 1_000;

/**
 * The desktops that became ready while nobody looked at this page, until somebody does. The browser
 * tells of them, if it may.
 *
 * `only`: the page's own desktop, which needs no other page to be opened.
 */
export function useReady(only?: string): readonly Session[] {
  const { t } = useSpeech();
  const { door } = usePortal();
  const feed = useFeed();
  const known = useRef<Statuses | null>(null);
  const seen = useRef<SeenElsewhere | null>(null);
  const [unseen, setUnseen] = useState<readonly Session[]>([]);

  useEffect(() => {
    seen.current = new SeenElsewhere();
    return () => seen.current?.close();
  }, []);

  useEffect(() => {
    if (!feed.loaded) {
      return;
    }
    const sessions = sessionsOf(feed).filter((one) => !only || one.session_id === only);
    const ready = becameReady(known.current ?? new Map(), sessions);
    known.current = statusesOf(sessions);
    if (ready.length === 0) {
      return;
    }
    if (isLookedAt()) {
      ready.forEach(({ session_id }) => seen.current?.tell(session_id));
      return;
    }
    setUnseen((before) => [...before, ...ready]);
    setTimeout(() => {
      const untold = ready.filter(({ session_id }) => !seen.current?.has(session_id));
      if (consentStore().getState() !== 'yes' || isLookedAt()) {
        return;
      }
      for (const session of untold) {
        notify({
          title: t.ready.told(calledOf(session)),
          body: session.node ? t.ready.where(session.node) : '',
          tag: session.session_id,
          icon: sessionLook(t, session).icon,
          onClick: () => {
            if (!only) {
              window.open(session.web_url ?? door.viewer(session.session_id), '_blank', 'noopener');
            }
          },
        });
      }
    }, HEAR_MS);
  }, [feed, only, t, door]);

  useEffect(() => {
    if (unseen.length === 0) {
      return;
    }
    // The focus may be in the desktop's frame, whose events do not come here.
    const timer = setInterval(() => isLookedAt() && setUnseen([]), LOOK_MS);
    return () => clearInterval(timer);
  }, [unseen]);

  return unseen;
}
