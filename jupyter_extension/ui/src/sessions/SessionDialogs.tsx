import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from 'react';

import type { Session } from '../api/types';
import { LogDialog } from './LogDialog';
import { RenameDialog } from './RenameDialog';
import { cardId } from './revealCard';

type Kind = 'log' | 'rename';
type Open = (kind: Kind, session: Session) => void;

const OpenContext = createContext<Open | null>(null);

/**
 * Dialogs that somebody reads or writes in while their session goes on. They stand above the cards and
 * pages of sessions: a session that ends, or begins to run, has another card or page from then on, and
 * what is in the old one goes with it.
 */
export function SessionDialogs({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<{ kind: Kind; session: Session } | null>(null);
  const [open] = useState<Open>(
    () => (kind: Kind, session: Session) => setShown({ kind, session }),
  );
  const before = useRef(shown);
  useEffect(() => {
    const closed = before.current;
    before.current = shown;
    // What it was opened by may have gone with the old card.
    if (closed && !shown && document.activeElement === document.body) {
      const card = document.getElementById(cardId(closed.session.session_id)) ?? document;
      card.querySelector<HTMLElement>(`[data-testid=${closed.kind}]`)?.focus();
    }
  }, [shown]);
  const Shown = shown && { log: LogDialog, rename: RenameDialog }[shown.kind];
  return (
    <OpenContext value={open}>
      {children}
      {Shown && <Shown session={shown.session} onClose={() => setShown(null)} />}
    </OpenContext>
  );
}

export function useSessionDialogs(): Open {
  const open = useContext(OpenContext);
  if (!open) {
    throw new Error('useSessionDialogs is used outside of SessionDialogs.');
  }
  return open;
}
