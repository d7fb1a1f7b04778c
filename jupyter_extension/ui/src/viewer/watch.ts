import {
  newConnection,
  pollDelay,
  step,
  type Connection,
  type ConnectionEvent,
} from './connection';

const ANSWER_WITHIN_MS = 4_000;
const TELL_FOR_MS = 3_000;

/** Watches the way to a running desktop's gateway and never gives up until it is stopped. */
export class ConnectionWatch {
  private state: Connection = newConnection;
  private listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private telling: ReturnType<typeof setTimeout> | undefined;
  /** Rises with every look, so that an overtaken answer is not believed. */
  private turn = 0;

  constructor(private readonly healthUrl: string) {}

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
    const reachable = await isReachable(this.healthUrl);
    if (turn === this.turn) {
      this.dispatch(reachable ? { type: 'answered' } : { type: 'failed', at });
      clearTimeout(this.timer);
      this.timer = setTimeout(this.lookNow, pollDelay(this.state));
    }
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

async function isReachable(url: string): Promise<boolean> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
  try {
    const answer = await fetch(url, {
      credentials: 'same-origin',
      cache: 'no-store',
      // A login page, reached by a redirect, would be a 200 as well.
      redirect: 'manual',
      signal: abort.signal,
    });
    return answer.status === 200;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
