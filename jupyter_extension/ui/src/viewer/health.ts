/** What the gateway says of the host that streams, at `healthz`; older gateways say less. */
export interface Health {
  /** It has ended and does not stream yet again. */
  away: boolean;
  /** It ends so often that it is started again after pauses only. */
  pausing: boolean;
  /** How often it has been started again; null where that is not said. */
  restarts: number | null;
  /** How many streams wait until another one has started. */
  waiting: number;
}

export function healthOf(body: unknown): Health {
  const said = (body ?? {}) as Record<string, unknown>;
  const { status, pausing, restarts, waiting } = said;
  return {
    away: status === 'starting',
    pausing: pausing === true,
    restarts: typeof restarts === 'number' ? restarts : null,
    waiting: typeof waiting === 'number' ? waiting : 0,
  };
}

/**
 * What the host's page says of its stream: `starting` it asks for one, `open` it is connected, `closed`
 * the connection has ended and the page does nothing about it, `disturbed` it does.
 */
export type StreamState = 'starting' | 'open' | 'closed' | 'disturbed';

const STATES: readonly unknown[] = ['starting', 'open', 'closed', 'disturbed'];

/** Out of a message of the host's page; null if it says something else. */
export function streamStateOf(data: unknown): StreamState | null {
  const { type, state } = (data ?? {}) as Record<string, unknown>;
  return type === 'moonlight:stream' && STATES.includes(state) ? (state as StreamState) : null;
}
