import { useEffect, useId, useRef, useState, type FormEvent } from 'react';

import { useSpeech } from '../i18n/Language';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import { FullPage } from '../viewer/FullPage';
import { MineLink } from '../viewer/MineLink';
import { joinLook, showInWindow } from '../viewer/windowTitle';
import { GuestView } from './GuestView';
import { keep, kept, takeBrought, type Joined, type Over } from './joined';

/** Where another user's invitation is brought, and then his desktop. */
export function JoinPage() {
  const { t } = useSpeech();
  const [brought] = useState(takeBrought);
  const [joined, setJoined] = useState(() => (brought ? null : kept()));
  const [over, setOver] = useState<Over | null>(null);
  useEffect(() => showInWindow(joinLook(t)), [t]);

  const begin = (one: Joined): void => {
    keep(one);
    setOver(null);
    setJoined(one);
  };
  const end = (why: Over): void => {
    keep(null);
    setJoined(null);
    setOver(why);
  };
  if (joined) {
    return <GuestView joined={joined} onOver={end} />;
  }
  return (
    <FullPage testId="join-page">
      <h1>{t.sharing.join}</h1>
      {over && (
        <p role="alert" data-testid="sharing-over" data-over={over}>
          {t.sharing.over[over]} {t.sharing.again}
        </p>
      )}
      <JoinForm brought={brought} onJoined={begin} />
      <MineLink />
    </FullPage>
  );
}

function JoinForm({ brought, onJoined }: { brought: string; onJoined: (one: Joined) => void }) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error } = useTask();
  const [text, setText] = useState(brought);
  const area = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  useEffect(() => area.current?.focus(), []);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run(async () => onJoined(await client.join(text)));
  };
  return (
    <form onSubmit={submit}>
      <p id={`${id}-hint`}>{t.sharing.joinHint}</p>
      <div className="field">
        <label htmlFor={id}>{t.sharing.text}</label>
        <textarea
          ref={area}
          id={id}
          className="clipboard-text"
          data-testid="invitation-text"
          rows={5}
          required
          spellCheck={false}
          autoComplete="off"
          value={text}
          aria-describedby={`${id}-hint`}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      {error && <Problem error={error} />}
      <div className="dialog-actions">
        <button
          type="submit"
          className="button button-primary"
          data-testid="join"
          aria-disabled={busy}
        >
          {t.sharing.bring}
        </button>
      </div>
    </form>
  );
}
