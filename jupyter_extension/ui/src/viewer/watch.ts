import { errorFromAnswer } from '../api/errors';
import { fetchSeen, saidInFront } from '../api/inFront';
import { opensWebSocket } from './opensWebSocket';
import {
  newConnection,
  pollDelay,
  step,
  type Cause,
  type Connection,
  type ConnectionEvent,
} from './connection';

const ANSWER_WITHIN_MS = 4_000;
const TELL_FOR_MS = 3_000;
/** How long it is believed that WebSockets get through. */
const WEBSOCKET_GOOD_FOR_MS = 30_000;

/** Watches the way to a running desktop's gateway and never gives up until it is stopped. */
export class ConnectionWatch {
  private state: Connection = newConnection;
  private listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private telling: ReturnType<typeof setTimeout> | undefined;
  /** Rises with every look, so that an overtaken answer is not believed. */
  private turn = 0;
  /** When a WebSocket was opened last. */
  private openedAt = 0;

  constructor(private readonly streamUrl: string) {}

  getState = (): Connection => this.state;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): () => void {
    document.addEventListener('visibilitychange', this.lookNow);
    window.addEventListener('online', this.wentOnline);
    window.addEventListener('offline', this.wentOffline);
    this.lookNow();
    return () => {
      document.removeEventListener('visibilitychange', this.lookNow);
      window.removeEventListener('online', this.wentOnline);
      window.removeEventListener('offline', this.wentOffline);
      clearTimeout(this.timer);
      clearTimeout(this.telling);
      this.turn += 1;
    };
  }

  reload = (): void => this.dispatch({ type: 'reload' });

  /** Looks at once, for instance because something else noticed a broken connection. */
  lookNow = (): void => {
    clearTimeout(this.timer);
    if (!document.hidden) {
      void this.look();
    }
  };

  private async look(): Promise<void> {
    const turn = ++this.turn;
    const at = Date.now();
    const found = await this.find();
    if (turn === this.turn) {
      const seen = found === 'answered' || found === 'blocked';
      this.dispatch(seen ? { type: found } : { type: 'failed', at, cause: found });
      clearTimeout(this.timer);
      this.timer = setTimeout(this.lookNow, pollDelay(this.state));
    }
  }

  private async find(): Promise<'answered' | 'blocked' | Cause> {
    // Asked twice: the server may have ended between the one request and the other.
    for (let tries = 0; tries < 2; tries += 1) {
      const cause = await lookFor(this.streamUrl);
      if (cause) {
        return cause;
      }
      if (await this.takesWebSockets()) {
        return 'answered';
      }
    }
    return 'blocked';
  }

  private async takesWebSockets(): Promise<boolean> {
    const calm = this.state.phase === 'good' || this.state.phase === 'restored';
    if (calm && Date.now() - this.openedAt < WEBSOCKET_GOOD_FOR_MS) {
      return true;
    }
    const opened = await opensWebSocket(`${this.streamUrl}websocket-check`);
    if (opened) {
      this.openedAt = Date.now();
    }
    return opened;
  }

  private wentOnline = (): void => {
    this.dispatch({ type: 'online' });
    this.lookNow();
  };

  private wentOffline = (): void => this.dispatch({ type: 'offline', at: Date.now() });

  private dispatch(event: ConnectionEvent): void {
    const next = step(this.state, event);
    if (next === this.state) {
      return;
    }
    if (next.phase === 'restored' && this.state.phase !== 'restored') {
      clearTimeout(this.telling);
      this.telling = setTimeout(() => this.dispatch({ type: 'told' }), TELL_FOR_MS);
    }
    this.state = next;
    this.listeners.forEach((listener) => listener());
  }
}

/** What keeps the gateway from being reached, null if it answers. */
async function lookFor(streamUrl: string): Promise<Cause | null> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
  try {
    const init: RequestInit = {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { Accept: 'application/json' },
      signal: abort.signal,
    };
    const answer = await fetchSeen(`${streamUrl}healthz`, init, streamUrl);
    return answer ? await judge(answer) : 'login';
  } catch {
    return 'network';
  } finally {
    clearTimeout(timer);
  }
}

/** What an answer in the gateway's place means, null if it is the gateway's own. */
export async function judge(answer: Response): Promise<Cause | null> {
  const isJson = (answer.headers.get('Content-Type') ?? '').includes('json');
  const body: unknown = isJson ? await answer.json().catch(() => null) : null;
  if (answer.ok && isJson) {
    return null;
  }
  const { kind, code } = errorFromAnswer(answer, body);
  if (kind === 'expired') {
    return 'login';
  }
  // What our server says itself, of a session that it knows or of a gateway that does not answer.
  return code ? 'node' : saidInFront(answer);
}
