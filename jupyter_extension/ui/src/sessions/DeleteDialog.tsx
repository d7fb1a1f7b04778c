import { useEffect, useRef } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Dialog } from '../parts/Dialog';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { calledOf } from './called';
import { usePortal } from './Portal';

interface Props {
  sessions: readonly Session[];
  /** All that have ended, also such as this page has not heard of yet. */
  all?: boolean;
  onClose: () => void;
}

/** Whether what is on record of ended desktops may be deleted. */
export function DeleteDialog({ sessions, all = false, onClose }: Props) {
  const { t } = useSpeech();
  const { client, feed } = usePortal();
  const { run, busy, error } = useTask();
  const keep = useRef<HTMLButtonElement>(null);
  const [first] = sessions;

  useEffect(() => keep.current?.focus(), []);

  const forget = (): void =>
    run(async () => {
      feed.forget(await client.forget(all ? null : (first?.session_id ?? '')));
      onClose();
    });

  return (
    <Dialog
      title={all ? t.desktops.deleteAllTitle(sessions.length) : t.desktops.deleteTitle}
      onClose={onClose}
    >
      {!all && first && (
        <p>
          <strong>{calledOf(first)}</strong>
        </p>
      )}
      <p>{all ? t.desktops.deleteAllBody : t.desktops.deleteBody}</p>
      {error && <Problem error={error} retry={forget} />}
      <div className="dialog-actions">
        <button type="button" className="button" ref={keep} onClick={onClose}>
          {all ? t.desktops.keepAll : t.desktops.keep}
        </button>
        <button
          type="button"
          className="button button-danger"
          data-testid="delete-confirm"
          disabled={busy}
          onClick={forget}
        >
          {busy ? t.desktops.deleting : t.desktops.delete}
        </button>
      </div>
    </Dialog>
  );
}
