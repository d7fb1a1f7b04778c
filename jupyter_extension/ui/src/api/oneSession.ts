import { hasEnded } from '../sessions/status';
import { ApiClient } from './client';
import { asApiError } from './errors';
import type { ServerEvent } from './eventStream';
import type { Session } from './types';

/** `gate.js` hears it, where the server of the page ends with its session. */
export const ENDED = 'moonlight:ended';

const WAITING_EVERY_MS = 1_000;
const RUNNING_EVERY_MS = 4_000;

/** Asks a server that has one session and sends no events: a session's own gateway, for one. */
export class OneSessionClient extends ApiClient {
  /** The last that was said of it, by which nobody is left to be asked. */
  private ended: Session | null = null;
  private hear: ((session: Session) => void) | null = null;

  constructor(baseUrl: string, hubStart: string | null = null) {
    super(baseUrl, hubStart);
    window.addEventListener(ENDED, this.heard);
  }

  override async sessions(): Promise<Session[]> {
    return this.ended ? [this.ended] : super.sessions();
  }

  /** The session at first, then whenever it has changed. */
  override events(event: ServerEvent, broken: (afterMs: number) => void): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    let known = '';
    const tell = (session: Session): void => {
      const now = JSON.stringify(session);
      if (!over && now !== known) {
        known = now;
        event('session', now);
      }
    };
    const look = async (first: boolean): Promise<void> => {
      try {
        const sessions = await this.sessions();
        if (over) {
          return;
        }
        if (first) {
          event('sessions', JSON.stringify({ sessions }));
        }
        sessions.forEach(tell);
        const calm = sessions.every(({ status }) => status === 'running' || hasEnded(status));
        timer = setTimeout(() => void look(false), calm ? RUNNING_EVERY_MS : WAITING_EVERY_MS);
      } catch (cause) {
        if (!over) {
          broken(asApiError(cause).retryAfterMs);
        }
      }
    };
    this.hear = tell;
    void look(true);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }

  private heard = (said: Event): void => {
    const { detail } = said as CustomEvent<Session | null>;
    if (detail) {
      said.preventDefault();
      this.ended = detail;
      this.hear?.(detail);
    }
  };
}
