import { useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { useLaunch } from '../launch/useLaunch';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { usePortal } from './Portal';
import { requestAgain } from './allocation';
import { DeleteDialog } from './DeleteDialog';
import { useSessionDialogs } from './SessionDialogs';
import { hasEnded } from './status';
import { StopDialog } from './StopDialog';
import { Which } from './Which';

interface Props {
  session: Session;
  /** The viewer is the place that "Connect" leads to. */
  inViewer?: boolean;
  onStartedAgain: (session: Session) => void;
}

export function SessionActions({ session, inViewer = false, onStartedAgain }: Props) {
  const { t } = useSpeech();
  const [open, setOpen] = useState<'stop' | 'delete' | null>(null);
  const { launch, busy, error } = useLaunch();
  const { door } = usePortal();
  const show = useSessionDialogs();
  const close = (): void => setOpen(null);
  const ended = hasEnded(session.status);
  const again = (): void => launch(requestAgain(session), onStartedAgain);

  return (
    <>
      {error && <Problem error={error} retry={again} />}
      <div className="actions">
        {!inViewer && <ConnectLink session={session} />}
        {ended && door.launches && (
          <button
            type="button"
            className="button button-primary"
            data-testid="start-again"
            disabled={busy}
            onClick={again}
          >
            <Icon name="again" size={17} />
            {busy ? t.session.startingAgain : t.session.startAgain}
            <Which session={session} />
          </button>
        )}
        {!ended && session.status !== 'stopping' && (
          <button
            type="button"
            className="button"
            data-testid="stop"
            aria-haspopup="dialog"
            onClick={() => setOpen('stop')}
          >
            <Icon name="stop" size={17} />
            {t.session.stop}
            <Which session={session} />
          </button>
        )}
        {door.logs && (
          <button
            type="button"
            className="button"
            data-testid="log"
            aria-haspopup="dialog"
            onClick={() => show('log', session)}
          >
            <Icon name="log" size={17} />
            {t.session.log}
            <Which session={session} />
          </button>
        )}
        {ended && !inViewer && (
          <button
            type="button"
            className="button"
            data-testid="delete"
            aria-haspopup="dialog"
            onClick={() => setOpen('delete')}
          >
            <Icon name="trash" size={17} />
            {t.desktops.delete}
            <Which session={session} />
          </button>
        )}
      </div>
      {open === 'stop' && <StopDialog session={session} onClose={close} />}
      {open === 'delete' && <DeleteDialog sessions={[session]} onClose={close} />}
    </>
  );
}

function ConnectLink({ session }: { session: Session }) {
  const { t } = useSpeech();
  const { door } = usePortal();
  if (session.status === 'stopping' || hasEnded(session.status)) {
    return null;
  }
  const running = session.status === 'running';
  return (
    <a
      className={running ? 'button button-primary' : 'button'}
      data-testid={running ? 'connect' : undefined}
      href={session.web_url ?? door.viewer(session.session_id)}
      target="_blank"
      rel="noopener"
    >
      <Icon name="open" size={17} />
      {running ? t.session.connect : t.session.show}
      <Which session={session} />
      <span className="visually-hidden"> ({t.session.connectHint})</span>
    </a>
  );
}
