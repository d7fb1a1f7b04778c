import { useEffect, useRef } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Dialog } from '../parts/Dialog';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from './Portal';
import { calledOf } from './called';

export function StopDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const { t } = useSpeech();
  const { client, feed } = usePortal();
  const { run, busy, error } = useTask();
  const keep = useRef<HTMLButtonElement>(null);
  const queued = session.status === 'pending';

  // A stray Enter must not destroy somebody's work.
  useEffect(() => keep.current?.focus(), []);

  const stop = (): void =>
    run(async () => {
      const { tick } = feed.getState();
      feed.learn(await client.stop(session.session_id), tick);
      onClose();
    });

  return (
    <Dialog title={queued ? t.stopDialog.titlePending : t.stopDialog.title} onClose={onClose}>
      <p>
        <strong>{calledOf(session)}</strong>
        {session.node && <span className="quiet"> · {session.node}</span>}
      </p>
      <p>
        {queued
          ? t.stopDialog.bodyPending
          : session.way === 'guest'
            ? t.stopDialog.bodyGuest
            : t.stopDialog.body}
      </p>
      {error && <Problem error={error} retry={stop} />}
      <div className="dialog-actions">
        <button type="button" className="button" ref={keep} onClick={onClose}>
          {t.stopDialog.cancel}
        </button>
        <button
          type="button"
          className="button button-danger"
          data-testid="stop-confirm"
          disabled={busy}
          onClick={stop}
        >
          {busy
            ? t.stopDialog.stopping
            : queued
              ? t.stopDialog.confirmPending
              : t.stopDialog.confirm}
        </button>
      </div>
    </Dialog>
  );
}
