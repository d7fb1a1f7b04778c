import { useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import { Which } from '../sessions/Which';
import { Countdown } from '../time/Countdown';
import { durationParts, secondsUntil } from '../time/format';

/** Counts down to the end of a desktop that nobody seems to use, and keeps it. */
export function IdleWarning({ session, now }: { session: Session; now: number }) {
  const endsAt = session.idle_ends_at;
  // Another end is another warning: it is told again, and what was answered is no answer to it.
  return endsAt && session.status === 'running' ? (
    <Warning key={endsAt} session={session} left={secondsUntil(endsAt, now)} />
  ) : null;
}

function Warning({ session, left }: { session: Session; left: number }) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error } = useTask();
  const [kept, setKept] = useState(false);
  const sentence = (seconds: number): string => t.idle.ends(t.duration(durationParts(seconds)));
  const keep = (): void =>
    run(async () => {
      await client.keep(session.session_id);
      setKept(true);
    });
  if (kept) {
    return (
      <p className="banner" role="status">
        {t.idle.kept}
      </p>
    );
  }
  return (
    <div className="banner banner-warning" data-testid="idle">
      <Icon name="clock" />
      <span className="banner-words">
        <Countdown left={left} say={sentence} />
      </span>
      <button
        type="button"
        className="button button-small"
        data-testid="keep"
        aria-disabled={busy}
        onClick={keep}
      >
        {t.idle.keep}
        <Which session={session} />
      </button>
      {error && <Problem error={error} retry={keep} />}
    </div>
  );
}
