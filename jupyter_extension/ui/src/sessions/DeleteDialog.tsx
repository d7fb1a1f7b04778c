import { useEffect, useRef, useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { problemText } from '../i18n/wording';
import { Dialog } from '../parts/Dialog';
import { Notice } from '../parts/Notice';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { calledOf, whichOf } from './called';
import { forgetAll, type Kept } from './forgetAll';
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

  const [kept, setKept] = useState<readonly Kept[]>([]);

  const forget = (): void =>
    run(async () => {
      if (all) {
        const left = await forgetAll(sessions, client.forget, (ids) => feed.forget(ids));
        setKept(left);
        if (left.length > 0) {
          return;
        }
      } else {
        feed.forget(await client.forget(first?.session_id ?? ''));
      }
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
      {kept.length > 0 && <KeptList kept={kept} />}
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

/** Those that could not be deleted, and why. */
export function KeptList({ kept }: { kept: readonly Kept[] }) {
  const { t } = useSpeech();
  const told = kept.filter(({ why }) => why);
  const more = kept.length - told.length;
  return (
    <Notice tone="error" testId="kept">
      <p>{t.desktops.deleteKept(kept.length)}</p>
      <ul>
        {told.map(({ session, why }) => (
          <li key={session.session_id}>
            <strong>{whichOf(t, session).trim()}</strong>: {why && problemText(t, why)}
          </li>
        ))}
        {more > 0 && <li>{t.desktops.deleteKeptMore(more)}</li>}
      </ul>
    </Notice>
  );
}
