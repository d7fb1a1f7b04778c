import { useEffect, useId, useRef, useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { copyText } from '../parts/copyText';
import { Dialog } from '../parts/Dialog';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import { answerText, limitOf, received, waysOf } from './clipboard';

/** Text between the desktop's clipboard and this computer, also where the browser does not pass it on. */
export function ClipboardDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error } = useTask();
  const [text, setText] = useState('');
  const [underWay, setUnderWay] = useState<'get' | 'send'>('get');
  /** Emptied before each action, so that the same sentence is read out again. */
  const [said, setSaid] = useState('');
  const area = useRef<HTMLTextAreaElement>(null);
  const getButton = useRef<HTMLButtonElement>(null);
  const id = useId();
  const ways = waysOf(session);
  const words = t.clipboard;
  const limit = limitOf(t, ways);

  // Where there is something to do: paste what is to be sent, or press the one button there is.
  useEffect(() => (ways.toDesktop ? area : getButton).current?.focus(), []);

  // A button that is disabled while it works would lose a keyboard user's place; a task runs once.
  const perform = (which: 'get' | 'send', work: () => Promise<string>): void =>
    run(async () => {
      setUnderWay(which);
      setSaid('');
      setSaid(await work());
    });

  const get = (): void =>
    perform('get', async () => {
      const answer = await client.clipboard(session.session_id);
      setText(received(answer));
      return answerText(t, answer);
    });

  const send = (): void =>
    perform('send', async () => {
      await client.setClipboard(session.session_id, text);
      return words.sent;
    });

  const copy = async (): Promise<void> => {
    setSaid('');
    const worked = await copyText(text, area.current!);
    setSaid(worked ? t.logDialog.copied : t.logDialog.copyFailed);
  };

  return (
    <Dialog title={words.title} onClose={onClose}>
      {ways.fromDesktop && (
        <div className="log-tools">
          <button
            type="button"
            className="button button-small"
            data-testid="clipboard-get"
            ref={getButton}
            aria-disabled={busy}
            onClick={get}
          >
            {busy && underWay === 'get' ? words.getting : words.get}
          </button>
          <button
            type="button"
            className="button button-small"
            disabled={!text}
            onClick={() => void copy()}
          >
            <Icon name="copy" size={16} />
            {t.logDialog.copy}
          </button>
        </div>
      )}
      <div className="field">
        <label htmlFor={id}>{words.text}</label>
        <textarea
          ref={area}
          id={id}
          className="clipboard-text"
          data-testid="clipboard-text"
          rows={8}
          spellCheck={false}
          autoComplete="off"
          readOnly={!ways.toDesktop}
          value={text}
          aria-describedby={limit ? `${id}-limit` : undefined}
          onChange={(event) => {
            setText(event.target.value);
            setSaid('');
          }}
        />
      </div>
      {limit && (
        <p className="quiet" id={`${id}-limit`}>
          {limit}
        </p>
      )}
      <p className="quiet" role="status" data-testid="clipboard-message">
        {said}
      </p>
      {error && <Problem error={error} />}
      {ways.toDesktop && (
        <div className="dialog-actions">
          <button
            type="button"
            className="button button-primary"
            data-testid="clipboard-send"
            disabled={!text}
            aria-disabled={busy}
            onClick={send}
          >
            {busy && underWay === 'send' ? words.sending : words.send}
          </button>
        </div>
      )}
    </Dialog>
  );
}
