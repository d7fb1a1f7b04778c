import { useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { DeleteDialog } from './DeleteDialog';
import { SessionCard } from './SessionCard';

const SHOWN_AT_FIRST = 3;

/** What has ended, the last first: three of it, and the rest for who wants it. */
export function EndedList({ sessions, now }: { sessions: readonly Session[]; now: number }) {
  const { t } = useSpeech();
  const [unfolded, setUnfolded] = useState(false);
  const [deletes, setDeletes] = useState(false);
  const more = sessions.length - SHOWN_AT_FIRST;
  return (
    <section className="ended" aria-labelledby="ended-title">
      <header className="ended-head">
        <h2 id="ended-title">{t.desktops.ended}</h2>
        <button
          type="button"
          className="button button-small"
          data-testid="delete-all"
          aria-haspopup="dialog"
          onClick={() => setDeletes(true)}
        >
          <Icon name="trash" size={15} />
          {t.desktops.deleteAll}
        </button>
      </header>
      {sessions.slice(0, unfolded ? undefined : SHOWN_AT_FIRST).map((session) => (
        <SessionCard key={session.session_id} session={session} now={now} />
      ))}
      {more > 0 && (
        <button
          type="button"
          className="button button-small ended-more"
          data-testid="show-more"
          aria-expanded={unfolded}
          onClick={() => setUnfolded(!unfolded)}
        >
          <Icon name={unfolded ? 'up' : 'down'} size={15} />
          {unfolded ? t.desktops.showFewer : t.desktops.showMore(more)}
        </button>
      )}
      {deletes && <DeleteDialog sessions={sessions} all onClose={() => setDeletes(false)} />}
    </section>
  );
}
