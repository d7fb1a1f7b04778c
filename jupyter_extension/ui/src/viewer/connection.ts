import type { InFront } from '../api/inFront';

/**
 * Why no picture comes: `node` our server says that the gateway does not answer, `network` nobody
 * answers at all, else what a proxy says in the place of our server.
 */
export type Cause = 'node' | 'network' | InFront;

/**
 * What the page knows about the way to the desktop.
 *
 * `probing` nothing yet, `good` the gateway answered, `interrupted` it does not, `blocked` it does
 * but no WebSocket gets through, `restored` all is well again and the user is being told so.
 */
export interface Connection {
  phase: 'probing' | 'good' | 'interrupted' | 'blocked' | 'restored';
  /** When the interruption began, in milliseconds; null unless interrupted. */
  since: number | null;
  cause: Cause | null;
  offline: boolean;
  /** Rises whenever the picture has to be loaded anew. */
  frame: number;
}

export type ConnectionEvent =
  | { type: 'answered' | 'blocked' }
  | { type: 'failed'; at: number; cause: Cause }
  | { type: 'offline'; at: number }
  | { type: 'online' }
  | { type: 'told' }
  | { type: 'reload' };

export const newConnection: Connection = {
  phase: 'probing',
  since: null,
  cause: null,
  offline: false,
  frame: 0,
};

export function step(state: Connection, event: ConnectionEvent): Connection {
  switch (event.type) {
    case 'answered':
      if (state.phase === 'interrupted' || state.phase === 'blocked') {
        // The streaming client gave up or hangs in a dead socket: a fresh page is the sure way back.
        return { ...newConnection, phase: 'restored', frame: state.frame + 1 };
      }
      return state.phase === 'probing' ? { ...state, phase: 'good', offline: false } : state;
    case 'blocked':
      return state.phase === 'blocked'
        ? state
        : { ...state, phase: 'blocked', since: null, cause: null, offline: false };
    case 'failed':
      return interrupted(state, event.at, event.cause);
    case 'offline':
      return { ...interrupted(state, event.at, 'network'), offline: true };
    case 'online':
      return { ...state, offline: false };
    case 'told':
      return state.phase === 'restored' ? { ...state, phase: 'good' } : state;
    case 'reload':
      return { ...state, frame: state.frame + 1 };
  }
}

function interrupted(state: Connection, at: number, cause: Cause): Connection {
  if (state.phase === 'interrupted') {
    return state.cause === cause ? state : { ...state, cause };
  }
  return { ...state, phase: 'interrupted', since: at, cause };
}

/** Whether it comes back by itself; else somebody has to do something, and it is looked for all the same. */
export const comesBack = ({ cause }: Connection): boolean =>
  cause === 'node' || cause === 'network' || cause === 'away' || cause === 'pending';

const STEADY_POLL_MS = 5_000;
const EAGER_POLL_MS = 1_500;

/** How long to wait before the next look; eager while something is wrong. */
export const pollDelay = (connection: Connection): number =>
  connection.phase === 'interrupted' && comesBack(connection) ? EAGER_POLL_MS : STEADY_POLL_MS;
