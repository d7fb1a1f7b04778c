import { useId, useState, type FormEvent } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Dialog } from '../parts/Dialog';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { MOST_NAME_SIGNS } from './called';
import { usePortal } from './Portal';

export function RenameDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const { t } = useSpeech();
  const { client, feed } = usePortal();
  const { run, busy, error } = useTask();
  const [name, setName] = useState(session.name ?? '');
  const id = useId();
  // The one thing that can be wrong with the request is the name.
  const wrong = error?.code === 'invalid_request';

  const rename = (): void =>
    run(async () => {
      const { tick } = feed.getState();
      feed.learn(await client.rename(session.session_id, name), tick);
      onClose();
    });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    rename();
  };

  return (
    <Dialog title={t.desktops.renameTitle} onClose={onClose}>
      <form className="rename" onSubmit={submit} noValidate>
        <div className={wrong ? 'field field-wrong' : 'field'}>
          <label htmlFor={id}>{t.desktops.name}</label>
          <input
            id={id}
            type="text"
            autoComplete="off"
            autoFocus
            data-testid="name"
            maxLength={MOST_NAME_SIGNS}
            value={name}
            aria-invalid={wrong || undefined}
            aria-describedby={`${id}-hint${wrong ? ` ${id}-error` : ''}`}
            onChange={(event) => setName(event.target.value)}
          />
          <span className="field-hint" id={`${id}-hint`}>
            {t.desktops.nameHint(MOST_NAME_SIGNS)}
          </span>
          {wrong && (
            <span className="field-error" id={`${id}-error`} role="alert">
              {t.desktops.nameWrong(MOST_NAME_SIGNS)}
            </span>
          )}
        </div>
        {error && !wrong && <Problem error={error} retry={rename} />}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {t.desktops.cancel}
          </button>
          <button
            type="submit"
            className="button button-primary"
            data-testid="rename-save"
            disabled={busy}
          >
            {busy ? t.desktops.saving : t.desktops.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
