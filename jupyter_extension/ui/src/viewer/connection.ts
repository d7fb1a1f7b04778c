import type { InFront } from '../api/inFront';

/**
 * Why no picture comes: `host` what streams it has ended on the node and is being started again,
 * `pausing` the same, again and again, `node` our server says that the gateway does not answer, `network`
 * nobody answers at all, else what a proxy says in the place of our server.
 */
export type Cause = 'host' | 'pausing' | 'node' | 'network' | InFront;

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
  /** The picture waits until another window's has started. */
  waits: boolean;
  /** Rises whenever the picture has to be loaded anew. */
  frame: number;
}

export type ConnectionEvent =
  | { type: 'answered' | 'blocked' }
  | { type: 'failed'; at: number; cause: Cause }
  | { type: 'offline'; at: number }
  | { type: 'online' }
  | { type: 'told' }
  // All is well, but what is shown is a picture of before: its stream is gone.
  | { type: 'renewed' }
  | { type: 'turn'; waits: boolean }
  | { type: 'reload' };

export const newConnection: Connection = {
  phase: 'probing',
  since: null,
  cause: null,
  offline: false,
  waits: false,
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
    case 'renewed':
      return { ...newConnection, phase: 'restored', frame: state.frame + 1 };
    case 'turn':
      return state.waits === event.waits ? state : { ...state, waits: event.waits };
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
export const comesBack = ({ cause }: Connection): boolean => cause !== null && SELF.has(cause);

const SELF: ReadonlySet<Cause> = new Set(['host', 'pausing', 'node', 'network', 'away', 'pending']);

const STEADY_POLL_MS = 5_000;
const EAGER_POLL_MS = 1_500;
/** What streams is back within two seconds, and the picture is to be there at once. */
const HOST_POLL_MS = 500;

/** How long to wait before the next look; eager while something is wrong. */
export function pollDelay(connection: Connection): number {
  const { phase, cause, waits } = connection;
  if (phase !== 'interrupted' || !comesBack(connection)) {
    return waits ? EAGER_POLL_MS : STEADY_POLL_MS;
  }
  return cause === 'host' ? HOST_POLL_MS : EAGER_POLL_MS;
}
