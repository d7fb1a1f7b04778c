import { useEffect, useRef, useState } from 'react';

import { useSpeech } from '../i18n/Language';
import { usePortal } from '../sessions/Portal';
import type { Joined, Over } from './joined';
import { useNews } from './useNews';

interface Props {
  joined: Joined;
  onOver: (why: Over) => void;
}

/**
 * Another user's desktop. The client stands in a frame of no origin: what its owner's node sends may be
 * meant to do harm, and reaches nothing of this page or this server from there.
 */
export function GuestView({ joined, onOver }: Props) {
  const { t, language } = useSpeech();
  const { settings } = usePortal();
  const words = t.sharing;
  const address = `${settings.baseUrl}moonlight/guest/`;
  const frame = useRef<HTMLIFrameElement>(null);
  const leave = useRef<HTMLButtonElement>(null);
  const [ready, setReady] = useState(0);
  const { role, reached } = useNews(address, joined, onOver);

  useEffect(() => {
    const hear = ({ source, data }: MessageEvent): void => {
      if (source === null || source !== frame.current?.contentWindow) {
        return;
      }
      const { type } = (data ?? {}) as { type?: unknown };
      if (type === 'moonlight:ready') {
        setReady((times) => times + 1);
      } else if (type === 'moonlight:leave') {
        leave.current?.focus();
      }
    };
    window.addEventListener('message', hear);
    return () => window.removeEventListener('message', hear);
  }, []);
  useEffect(() => {
    if (ready > 0) {
      const told = { role, ticket: joined.ticket, title: words.shown, language };
      // A frame of no origin has none that could be named here; what it is told is for it alone.
      frame.current?.contentWindow?.postMessage({ type: 'moonlight:guest', ...told }, '*');
    }
  }, [ready, role, joined, words, language]);

  const end = new Date(joined.until);
  const today = end.toDateString() === new Date().toDateString();
  const time = end.toLocaleString(language, {
    dateStyle: today ? undefined : 'short',
    timeStyle: 'short',
  });
  return (
    <div className="guest" data-testid="guest">
      <header className="guest-bar">
        <h1>{words.shown}</h1>
        <span role="status" data-testid="guest-role" data-role={role}>
          {reached ? words.guestRoles[role] : words.waits}
        </span>
        <span>{words.until(time)}</span>
        {role === 'control' && <span className="guest-keys">{words.leaveKeys}</span>}
        <button
          ref={leave}
          type="button"
          className="button button-small"
          data-testid="leave"
          onClick={() => onOver('left')}
        >
          {words.leave}
        </button>
      </header>
      <main className="guest-desktop">
        <iframe
          ref={frame}
          data-testid="guest-frame"
          sandbox="allow-scripts allow-pointer-lock"
          allow="autoplay; fullscreen"
          src={`${address}client.html#shared`}
          title={words.shown}
        />
      </main>
    </div>
  );
}
