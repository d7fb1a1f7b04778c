import { useCallback, useRef } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { useFeed } from '../sessions/Portal';
import { ConnectionBanner } from './ConnectionBanner';
import { DesktopFrame } from './DesktopFrame';
import { EndWarning } from './EndWarning';
import { Toolbar } from './Toolbar';
import { useConnection } from './useConnection';

interface Props {
  session: Session;
  streamUrl: string;
  now: number;
}

/** The running desktop: its picture fills the window, everything else floats above it. */
export function DesktopView({ session, streamUrl, now }: Props) {
  const { t } = useSpeech();
  const { link } = useFeed();
  const { connection, reload } = useConnection(streamUrl, link);
  const handle = useRef<HTMLButtonElement>(null);
  const frame = useRef<HTMLIFrameElement>(null);
  const toTools = useCallback(() => handle.current?.focus(), []);
  const toDesktop = useCallback(() => frame.current?.focus(), []);
  return (
    <main className="desktop">
      <h1 className="visually-hidden">{session.image_name}</h1>
      <Toolbar session={session} now={now} handle={handle} onReload={reload} onDone={toDesktop} />
      <div className="desktop-notices">
        <ConnectionBanner connection={connection} session={session} />
        <EndWarning endsAt={session.ends_at} startedAt={session.started_at} now={now} />
      </div>
      <DesktopFrame
        key={connection.frame}
        frame={frame}
        src={streamUrl}
        title={t.viewer.frame(session.image_name)}
        onWantsTools={toTools}
      />
    </main>
  );
}
