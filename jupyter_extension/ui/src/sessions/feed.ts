import { asApiError } from '../api/errors';
import type { ServerEvent } from '../api/eventStream';
import type { Session } from '../api/types';
import { emptyFeed, reduceFeed, type FeedAction, type FeedState } from './reducer';

const BACKOFF_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000];
/** A proxy that buffers event streams never delivers the first list. */
const FIRST_LIST_WITHIN_MS = 10_000;
const STEADY_AFTER_MS = 5_000;
/** Finds a stream that died silently: its keep-alives are comments, which the page never sees. */
const REASSURE_EVERY_MS = 60_000;
/** A browser opens six HTTP/1.1 connections per site; hidden tabs must not hold them all. */
const HIDDEN_GRACE_MS = 20_000;
const HIDDEN_POLL_MS = 15_000;

export interface FeedSource {
  /** Listens until the returned function is called or `broken` is; it is not opened again. */
  events(event: ServerEvent, broken: (afterMs: number) => void): () => void;
  sessions(): Promise<Session[]>;
}

/** The user's sessions, kept current by server-sent events and, where those fail, by asking. */
export class SessionFeed {
  private state: FeedState = emptyFeed;
  private listeners = new Set<() => void>();
  private stopListening: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hideTimer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  /** Rises whenever the way of listening changes; what an older turn had under way must not go on. */
  private turn = 0;

  constructor(private readonly source: FeedSource) {}

  getState = (): FeedState => this.state;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): () => void {
    document.addEventListener('visibilitychange', this.visibilityChanged);
    window.addEventListener('online', this.reconnect);
    this.openEvents();
    return () => {
      document.removeEventListener('visibilitychange', this.visibilityChanged);
      window.removeEventListener('online', this.reconnect);
      clearTimeout(this.hideTimer);
      this.closeEvents();
    };
  }

  /** Takes over the answer to a call; `since` is `getState().tick` when the call was made. */
  learn(session: Session, since: number): void {
    if (typeof session?.session_id === 'string') {
      this.dispatch({ type: 'session', session, since });
    }
  }

  /** Their records are deleted: no older list brings them back. */
  forget(sessionIds: readonly string[]): void {
    sessionIds.forEach((sessionId) => this.dispatch({ type: 'removed', sessionId }));
  }

  reconnect = (): void => {
    this.failures = 0;
    this.closeEvents();
    void this.refetchThen(() => this.openEvents());
  };

  private dispatch(action: FeedAction): void {
    const next = reduceFeed(this.state, action);
    if (next !== this.state) {
      this.state = next;
      this.listeners.forEach((listener) => listener());
    }
  }

  private openEvents(): void {
    this.closeEvents();
    this.timer = setTimeout(() => this.broken(), FIRST_LIST_WITHIN_MS);
    this.stopListening = this.source.events(this.heard, this.broken);
  }

  private heard = (name: string, data: string): void => {
    if (name === 'sessions') {
      const { sessions } = JSON.parse(data) as { sessions: Session[] };
      this.dispatch({ type: 'list', sessions, since: this.state.tick });
      this.dispatch({ type: 'link', link: 'live' });
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.failures = 0;
        this.reassure();
      }, STEADY_AFTER_MS);
    } else if (name === 'session') {
      this.dispatch({ type: 'session', session: JSON.parse(data) as Session });
    } else if (name === 'removed') {
      const { session_id: sessionId } = JSON.parse(data) as { session_id: string };
      this.dispatch({ type: 'removed', sessionId });
    }
  };

  private closeEvents(): void {
    this.turn += 1;
    clearTimeout(this.timer);
    this.stopListening?.();
    this.stopListening = null;
  }

  /** `afterMs`: the server does not want to be asked before. */
  private broken = (afterMs = 0): void => {
    this.closeEvents();
    const pause = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)]!;
    const delay = Math.max(pause, afterMs);
    this.failures += 1;
    this.timer = setTimeout(() => void this.refetchThen(() => this.openEvents()), delay);
  };

  private reassure(): void {
    this.timer = setTimeout(() => void this.refetchThen(() => this.reassure()), REASSURE_EVERY_MS);
  }

  private async refetchThen(proceed: () => void): Promise<void> {
    clearTimeout(this.timer);
    const since = this.state.tick;
    const turn = this.turn;
    try {
      const sessions = await this.source.sessions();
      this.dispatch({ type: 'list', sessions, since });
    } catch (cause) {
      if (turn !== this.turn) {
        return;
      }
      const error = asApiError(cause);
      this.dispatch({
        type: 'link',
        link: error.kind === 'expired' || error.kind === 'stopped' ? error.kind : 'lost',
        trouble: error.kind === 'refused' ? error : null,
      });
      this.broken(error.retryAfterMs);
      return;
    }
    if (turn !== this.turn) {
      return;
    }
    if (!this.stopListening) {
      if (['lost', 'expired', 'stopped'].includes(this.state.link)) {
        this.failures = 0;
      }
      // One interruption is mended unseen; only a stream that keeps breaking is worth a notice.
      this.dispatch({ type: 'link', link: this.failures > 2 ? 'polling' : 'connecting' });
    }
    proceed();
  }

  private visibilityChanged = (): void => {
    clearTimeout(this.hideTimer);
    if (document.hidden) {
      this.hideTimer = setTimeout(this.pollWhileHidden, HIDDEN_GRACE_MS);
    } else if (!this.stopListening || this.state.link !== 'live') {
      this.reconnect();
    }
  };

  private pollWhileHidden = (): void => {
    this.closeEvents();
    const again = (): void => {
      this.timer = setTimeout(this.pollWhileHidden, HIDDEN_POLL_MS);
    };
    void this.refetchThen(again);
  };
}
