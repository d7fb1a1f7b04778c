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
  offline: boolean;
  /** Rises whenever the picture has to be loaded anew. */
  frame: number;
}

export type ConnectionEvent =
  | { type: 'answered' | 'blocked' }
  | { type: 'failed'; at: number }
  | { type: 'offline'; at: number }
  | { type: 'online' }
  | { type: 'told' }
  | { type: 'reload' };

export const newConnection: Connection = {
  phase: 'probing',
  since: null,
  offline: false,
  frame: 0,
};

export function step(state: Connection, event: ConnectionEvent): Connection {
  switch (event.type) {
    case 'answered':
      if (state.phase === 'interrupted' || state.phase === 'blocked') {
        // The streaming client gave up or hangs in a dead socket: a fresh page is the sure way back.
        return { phase: 'restored', since: null, offline: false, frame: state.frame + 1 };
      }
      return state.phase === 'probing' ? { ...state, phase: 'good', offline: false } : state;
    case 'blocked':
      return state.phase === 'blocked'
        ? state
        : { ...state, phase: 'blocked', since: null, offline: false };
    case 'failed':
      return state.phase === 'interrupted' ? state : interrupted(state, event.at);
    case 'offline':
      return {
        ...(state.phase === 'interrupted' ? state : interrupted(state, event.at)),
        offline: true,
      };
    case 'online':
      return { ...state, offline: false };
    case 'told':
      return state.phase === 'restored' ? { ...state, phase: 'good' } : state;
    case 'reload':
      return { ...state, frame: state.frame + 1 };
  }
}

const interrupted = (state: Connection, at: number): Connection => ({
  ...state,
  phase: 'interrupted',
  since: at,
});

const STEADY_POLL_MS = 5_000;
const EAGER_POLL_MS = 1_500;

/** How long to wait before the next look; eager while something is wrong. */
export const pollDelay = ({ phase }: Connection): number =>
  phase === 'interrupted' ? EAGER_POLL_MS : STEADY_POLL_MS;
