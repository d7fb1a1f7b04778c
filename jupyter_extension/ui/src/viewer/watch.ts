import { errorFromAnswer } from '../api/errors';
import { fetchSeen, saidInFront } from '../api/inFront';
import type { Link } from '../sessions/reducer';
import { healthOf, type Health, type StreamState } from './health';
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
/** A stream that is asked for and not connected by then may wait for another one's start. */
const TURN_WITHIN_MS = 700;
/** After a stream has ended, so long its host's end may still have to be noticed. */
const NOTICED_WITHIN_MS = 500;
/** And where its page brings it back by itself, so long it is looked whether it was the host: a busy node is slow. */
const DISTURBED_WITHIN_MS = 3_000;
/** A stream that ends sooner, and again when it was opened anew, would do so without end: its page says why. */
const LASTED_MS = 3_000;

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
  private restarts: number | null = null;
  /** What the host's page says of its stream, and since when. */
  private stream: { state: StreamState; since: number } | null = null;
  /** Whether also a stream that was short is opened anew. */
  private forgives = true;
  private turnTimer: ReturnType<typeof setTimeout> | undefined;
  private link: Link | null = null;

  constructor(
    private readonly streamUrl: string,
    private readonly hubStart: string | null = null,
  ) {}

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
      clearTimeout(this.turnTimer);
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

  /** How the portal's events come: they break at the same moment as the picture, and may notice it first. */
  linkIs(link: Link): void {
    const before = this.link;
    this.link = link;
    if (before && before !== link) {
      this.lookNow();
    }
  }

  /** The host's page says something of its stream. */
  hear = (state: StreamState): void => {
    const before = this.stream;
    const since = Date.now();
    clearTimeout(this.turnTimer);
    if (state === 'starting') {
      this.turnTimer = setTimeout(this.lookNow, TURN_WITHIN_MS);
    } else {
      this.dispatch({ type: 'turn', waits: false });
    }
    const lasted = before?.state === 'open' && since - before.since > LASTED_MS;
    this.stream = state === 'closed' && !lasted && !this.forgives ? null : { state, since };
    if (state === 'closed' || state === 'disturbed') {
      this.lookNow();
    }
  };

  private async look(): Promise<void> {
    const turn = ++this.turn;
    const at = Date.now();
    const found = await this.find();
    if (turn !== this.turn) {
      return;
    }
    if (typeof found === 'string') {
      this.dispatch(found === 'blocked' ? { type: found } : { type: 'failed', at, cause: found });
    } else {
      this.answered(found);
    }
    clearTimeout(this.timer);
    const noticing = this.isNoticing() && this.state.phase !== 'interrupted';
    this.timer = setTimeout(this.lookNow, noticing ? NOTICED_WITHIN_MS : pollDelay(this.state));
  }

  /** What the host's page says may be known here before it is known on the node. */
  private isNoticing(): boolean {
    const { state, since } = this.stream ?? { state: 'open', since: 0 };
    return (
      state === 'closed' || (state === 'disturbed' && Date.now() - since < DISTURBED_WITHIN_MS)
    );
  }

  private answered({ restarts, waiting }: Health): void {
    const restarted =
      this.state.phase === 'interrupted' ||
      (this.restarts !== null && restarts !== null && restarts !== this.restarts);
    const since = this.stream?.state === 'closed' ? this.stream.since : Infinity;
    const alone = !restarted && Date.now() - since >= NOTICED_WITHIN_MS;
    if (alone) {
      this.forgives = false;
    } else if (this.stream?.state === 'open' && Date.now() - this.stream.since > LASTED_MS) {
      this.forgives = true;
    }
    this.restarts = restarts;
    this.dispatch({ type: restarted || alone ? 'renewed' : 'answered' });
    this.dispatch({ type: 'turn', waits: waiting > 0 && this.stream?.state === 'starting' });
  }

  private async find(): Promise<Health | 'blocked' | Cause> {
    // Asked twice: the server may have ended between the one request and the other.
    for (let tries = 0; tries < 2; tries += 1) {
      const found = await lookFor(this.streamUrl, this.hubStart);
      if (typeof found === 'string' || (await this.takesWebSockets())) {
        return found;
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
    if (next.frame !== this.state.frame) {
      this.stream = null;
    }
    if (next.phase === 'restored' && next.frame !== this.state.frame) {
      clearTimeout(this.telling);
      this.telling = setTimeout(() => this.dispatch({ type: 'told' }), TELL_FOR_MS);
    }
    this.state = next;
    this.listeners.forEach((listener) => listener());
  }
}

/** What keeps the gateway from being reached or what keeps it from having a picture, else what it says. */
async function lookFor(streamUrl: string, hubStart: string | null): Promise<Cause | Health> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
  try {
    const init: RequestInit = {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { Accept: 'application/json' },
      signal: abort.signal,
    };
    const answer = await fetchSeen(`${streamUrl}healthz`, init, hubStart);
    return typeof answer === 'string' ? answer : await judge(answer);
  } catch {
    return 'network';
  } finally {
    clearTimeout(timer);
  }
}

/** What the gateway's answer means, or one in its place. */
export async function judge(answer: Response): Promise<Cause | Health> {
  const isJson = (answer.headers.get('Content-Type') ?? '').includes('json');
  const body: unknown = isJson ? await answer.json().catch(() => null) : null;
  if (answer.ok && isJson) {
    const health = healthOf(body);
    return health.away ? (health.pausing ? 'pausing' : 'host') : health;
  }
  const { kind, code } = errorFromAnswer(answer, body);
  if (kind === 'expired') {
    return 'login';
  }
  // What our server says itself, of a session that it knows or of a gateway that does not answer.
  return code ? 'node' : saidInFront(answer);
}
