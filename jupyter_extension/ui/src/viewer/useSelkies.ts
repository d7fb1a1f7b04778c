import { useEffect, useMemo, useSyncExternalStore } from 'react';

import type { Session } from '../api/types';
import { SelkiesHost, type SelkiesState } from './host/selkies';
import type { Display } from './secondWindow';

/** The streaming host's client in the frame, where it is one that this page can drive; else null. */
export function useSelkies(
  session: Session,
  display: Display,
): {
  host: SelkiesHost | null;
  state: SelkiesState | null;
} {
  const { session_id, host: kind } = session;
  const host = useMemo(
    () => (kind === 'selkies' ? new SelkiesHost(session, display) : null),
    // What it is told of the session does not change while that runs.
    [session_id, kind, display],
  );
  useEffect(() => host?.leave, [host]);
  const state = useSyncExternalStore(host?.subscribe ?? never, host?.getState ?? nothing);
  return { host, state };
}

const never = (): (() => void) => () => undefined;
const nothing = (): null => null;
