import { useEffect, useRef } from 'react';

import { asApiError } from '../api/errors';
import type { NativeClient } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Dialog } from '../parts/Dialog';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import { isMissing } from './pairing';

interface Props {
  sessionId: string;
  client: NativeClient;
  onClose: () => void;
  onRemoved: () => void;
}

export function RemoveDialog({ sessionId, client, onClose, onRemoved }: Props) {
  const { t } = useSpeech();
  const portal = usePortal();
  const { run, busy, error } = useTask();
  const keep = useRef<HTMLButtonElement>(null);

  // A stray Enter must not end somebody's stream.
  useEffect(() => keep.current?.focus(), []);

  const remove = (): void =>
    run(async () => {
      try {
        await portal.client.unpair(sessionId, client.uuid);
      } catch (cause) {
        // Removed already, from another page.
        if (!isMissing(asApiError(cause))) {
          throw cause;
        }
      }
      onRemoved();
    });

  return (
    <Dialog title={t.removeDialog.title} onClose={onClose}>
      <p>
        <strong>{client.name}</strong>
      </p>
      <p>{t.removeDialog.body}</p>
      {error && <Problem error={error} retry={remove} />}
      <div className="dialog-actions">
        <button type="button" className="button" ref={keep} onClick={onClose}>
          {t.removeDialog.cancel}
        </button>
        <button
          type="button"
          className="button button-danger"
          data-testid="native-remove-confirm"
          disabled={busy}
          onClick={remove}
        >
          {busy ? t.removeDialog.removing : t.native.remove}
        </button>
      </div>
    </Dialog>
  );
}
