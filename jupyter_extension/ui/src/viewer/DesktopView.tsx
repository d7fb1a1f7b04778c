import { useCallback, useEffect, useRef, useState } from 'react';

import type { Session } from '../api/types';
import { fileWaysOf } from '../clipboard/clipboard';
import { useSpeech } from '../i18n/Language';
import { IdleWarning } from '../idle/IdleWarning';
import { calledOf } from '../sessions/called';
import { useFeed } from '../sessions/Portal';
import { DropHint } from '../transfers/DropHint';
import { TransferNotice } from '../transfers/TransferNotice';
import { useDrop } from '../transfers/useDrop';
import { useTransfers } from '../transfers/useTransfers';
import { ConnectionBanner } from './ConnectionBanner';
import { DesktopFrame } from './DesktopFrame';
import { Elsewhere } from './Elsewhere';
import { EndWarning } from './EndWarning';
import { displayOf } from './secondWindow';
import { NoFirst, NoRoom, useAlone } from './SecondScreen';
import { isToolsShortcut } from './shortcut';
import { Toolbar } from './Toolbar';
import { useConnection } from './useConnection';
import { useSelkies } from './useSelkies';

interface Props {
  session: Session;
  streamUrl: string;
  now: number;
}

/** The running desktop: its picture fills the window, everything else floats above it. */
export function DesktopView({ session, streamUrl, now }: Props) {
  const { t } = useSpeech();
  const { link } = useFeed();
  const [display] = useState(() => displayOf(window.location.hash));
  const second = display !== 'primary';
  const { host, state } = useSelkies(session, display);
  const alone = useAlone(second, !state?.elsewhere);
  const handle = useRef<HTMLButtonElement>(null);
  const frame = useRef<HTMLIFrameElement>(null);
  const { connection, reload } = useConnection(streamUrl, link, frame);
  const [called, setCalled] = useState(0);
  const toTools = useCallback(() => setCalled((times) => times + 1), []);
  const toDesktop = useCallback(() => frame.current?.focus(), []);
  const whole = t.viewer.frame(calledOf(session));
  const name = second ? `${t.tools.secondScreen}, ${whole}` : whole;
  const transfers = useTransfers(streamUrl);
  const { over, listenTo } = useDrop(fileWaysOf(session).toDesktop ? transfers.drop : null);
  const loaded = useCallback(
    (inner: Window) => {
      listenTo(inner);
      host?.attach(inner, name);
    },
    [host, name, listenTo],
  );
  useEffect(() => host?.startAgain(), [host, connection.frame]);
  const useHere = useCallback(() => {
    host?.comeBack();
    reload();
  }, [host, reload]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (isToolsShortcut(event)) {
        event.preventDefault();
        toTools();
      }
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, [toTools]);

  // A session that was started by an older version has no page without the host's own panel.
  const page = host && state?.drivable !== false ? host.page : '';
  const drivable = state?.drivable ? host : null;
  return (
    <main className="desktop">
      <h1 className="visually-hidden">{calledOf(session)}</h1>
      <Toolbar
        session={session}
        now={now}
        host={drivable}
        state={state}
        second={second}
        transfers={transfers}
        handle={handle}
        called={called}
        onReload={state?.elsewhere || state?.noRoom ? useHere : reload}
        onDone={toDesktop}
      />
      {over && <DropHint folder={transfers.folder} />}
      <div className="desktop-notices">
        <ConnectionBanner connection={connection} session={session} />
        {host && !window.isSecureContext && (
          <p className="banner banner-warning" role="alert">
            {t.tools.insecure}
          </p>
        )}
        <TransferNotice transfers={transfers} />
        <IdleWarning session={session} now={now} />
        <EndWarning endsAt={session.ends_at} startedAt={session.started_at} now={now} />
      </div>
      {alone || (second && !host) ? (
        <NoFirst />
      ) : state?.noRoom ? (
        <NoRoom onAgain={useHere} />
      ) : state?.elsewhere ? (
        <Elsewhere streamUrl={streamUrl} display={display} onUse={useHere} />
      ) : (
        <DesktopFrame
          key={`${connection.frame} ${page}`}
          frame={frame}
          src={`${streamUrl}${page}`}
          title={name}
          onWantsTools={toTools}
          onLoaded={loaded}
        />
      )}
    </main>
  );
}
