import { useEffect, useRef, useState } from 'react';

import type { Status } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { calledOf } from '../sessions/called';
import { useFeed } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';

/** Tells a screen reader when a session's status changes; the cards themselves stay silent. */
export function Announcer() {
  const { t } = useSpeech();
  const feed = useFeed();
  const known = useRef<Map<string, Status> | null>(null);
  const [message, setMessage] = useState('');
  // What was told is not told in the language of before.
  useEffect(() => setMessage(''), [t]);

  useEffect(() => {
    if (!feed.loaded) {
      return;
    }
    const sessions = sessionsOf(feed);
    const before = known.current;
    known.current = new Map(sessions.map((session) => [session.session_id, session.status]));
    const changed = sessions.filter(
      (session) => before && before.get(session.session_id) !== session.status,
    );
    if (changed.length > 0) {
      setMessage(changed.map((s) => t.announce.status(calledOf(s), t.status[s.status])).join('. '));
    }
  }, [feed, t]);

  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {message}
    </div>
  );
}
