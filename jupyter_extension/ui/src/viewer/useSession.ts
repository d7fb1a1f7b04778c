import { useCallback, useEffect, useState } from 'react';

import type { ApiError } from '../api/errors';
import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { sessionIn } from '../i18n/naming';
import { useTask } from '../parts/useTask';
import { useFeed, usePortal } from '../sessions/Portal';

interface Found {
  session: Session | null;
  error: ApiError | null;
  lookUp: () => void;
}

/** One session by its id: from the feed, and asked for alone when the feed does not list it. */
export function useSession(id: string): Found {
  const { client, feed } = usePortal();
  const { language } = useSpeech();
  const { loaded, entries } = useFeed();
  const { run, error } = useTask();
  const [lastSeen, setLastSeen] = useState<Session | null>(null);
  const listed = entries[id]?.session ?? null;

  useEffect(() => {
    if (listed) {
      // A record may be cleared away while its page is open: what was seen stays true.
      setLastSeen(listed);
    }
  }, [listed]);

  const lookUp = useCallback(
    () =>
      run(async () => {
        const { tick } = feed.getState();
        const session = await client.session(id);
        setLastSeen(session);
        feed.learn(session, tick);
      }),
    [client, feed, id, run],
  );
  const isUnlisted = loaded && !listed;
  useEffect(() => {
    if (isUnlisted) {
      lookUp();
    }
  }, [isUnlisted, lookUp]);

  const session = listed ?? lastSeen;
  return { session: session && sessionIn(language, session), error, lookUp };
}
