import { useEffect, useRef } from 'react';

import { useSpeech } from '../i18n/Language';
import { notify } from '../ready/notify';
import { consentStore } from '../ready/useConsent';
import { isLookedAt } from '../ready/lookedAt';
import { calledOf } from '../sessions/called';
import { useFeed, usePortal } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';
import { sessionLook } from '../viewer/windowTitle';
import { becameIdle, idleEndsOf, type IdleEnds } from './idle';

/**
 * Has the browser tell, if it may, of a desktop that is about to be ended because nobody uses it, when
 * nobody looks at this page.
 *
 * `only`: the page's own desktop, which needs no other page to be opened.
 */
export function useIdle(only?: string): void {
  const { t } = useSpeech();
  const { door } = usePortal();
  const feed = useFeed();
  const known = useRef<IdleEnds>(new Map());

  useEffect(() => {
    if (!feed.loaded) {
      return;
    }
    const sessions = sessionsOf(feed).filter((one) => !only || one.session_id === only);
    const idle = becameIdle(known.current, sessions);
    known.current = idleEndsOf(sessions);
    if (isLookedAt() || consentStore().getState() !== 'yes') {
      return;
    }
    for (const session of idle) {
      notify({
        title: t.idle.told(calledOf(session)),
        body: t.idle.toldHow,
        tag: `${session.session_id} idle`,
        icon: sessionLook(t, session).icon,
        onClick: () => {
          if (!only) {
            window.open(session.web_url ?? door.viewer(session.session_id), '_blank', 'noopener');
          }
        },
      });
    }
  }, [feed, only, t, door]);
}
