import { ApiError, asApiError } from '../api/errors';
import * as tus from './tus';

/** One file of the user's computer, and what it is to be called below the folder that it goes to. */
export interface Sending {
  file: File;
  /** With the folders that it lies in, if it came with them. */
  path: string;
}

/**
 * `waiting` for its turn, `going`, `paused` by the user, `retrying` after a break, `done`, `failed` for a
 * reason that does not pass by itself.
 */
export type TransferState = 'waiting' | 'going' | 'paused' | 'retrying' | 'done' | 'failed';

export interface Transfer {
  key: number;
  path: string;
  folder: string;
  size: number;
  sent: number;
  state: TransferState;
  error: ApiError | null;
  /** Its address once it is there. */
  at: string | null;
}

/** What can be exchanged: a network for one that breaks. */
export interface Means {
  create: typeof tus.create;
  look: typeof tus.look;
  send: typeof tus.send;
  discard: typeof tus.discard;
  pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

const AT_ONCE = 3;
/** A proxy takes so much of a request at most, or says 413: then it is halved, down to what any takes. */
const PIECE = 16 << 20;
const LEAST_PIECE = 256 << 10;
const LONGEST_PAUSE_MS = 30_000;

/** The files on their way to the desktop, the newest first. */
export class Uploads {
  private transfers: readonly Transfer[] = [];
  private readonly files = new Map<number, File>();
  private readonly urls = new Map<number, string>();
  private readonly running = new Map<number, AbortController>();
  private readonly listeners = new Set<() => void>();
  private piece = PIECE;
  private next = 1;

  constructor(
    private readonly root: string,
    private readonly means: Means = usual,
  ) {}

  getState = (): readonly Transfer[] => this.transfers;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  add(folder: string, sendings: readonly Sending[]): void {
    const added = sendings.map(({ file, path }): Transfer => {
      const key = this.next++;
      this.files.set(key, file);
      const size = file.size;
      return { key, path, folder, size, sent: 0, state: 'waiting', error: null, at: null };
    });
    this.set([...added.reverse(), ...this.transfers]);
    this.begin();
  }

  pause = (key: number): void => this.stop(key, 'paused');

  /** After a pause, or a failure that the user has done something about. */
  goOn = (key: number): void => {
    this.change(key, { state: 'waiting', error: null });
    this.begin();
  };

  /** Gives it up, and what has come of it. */
  cancel = (key: number): void => {
    const url = this.urls.get(key);
    const over = this.transfers.find((one) => one.key === key)?.state === 'done';
    this.running.get(key)?.abort();
    this.forget(key);
    if (url && !over) {
      this.means.discard(url).catch(() => undefined); // then it is removed after a week
    }
    this.begin();
  };

  /** Those that are over are no longer shown. */
  clear = (): void =>
    this.transfers.filter(({ state }) => state === 'done').forEach(({ key }) => this.forget(key));

  leave = (): void => this.running.forEach((run) => run.abort());

  private begin(): void {
    const waiting = this.transfers.filter(({ state }) => state === 'waiting').reverse();
    for (const one of waiting.slice(0, Math.max(0, AT_ONCE - this.running.size))) {
      void this.run(one.key);
    }
  }

  private async run(key: number): Promise<void> {
    const abort = new AbortController();
    this.running.set(key, abort);
    this.change(key, { state: 'going' });
    let breaks = 0;
    while (!abort.signal.aborted) {
      try {
        const at = await this.bring(key, abort.signal, () => (breaks = 0));
        this.change(key, { state: 'done', at });
        this.files.delete(key);
        break;
      } catch (cause) {
        const error = asApiError(cause);
        if (abort.signal.aborted) {
          break;
        }
        if (!passes(error)) {
          this.change(key, { state: 'failed', error });
          break;
        }
        this.change(key, { state: 'retrying', error });
        await this.means.pause(pauseAfter(breaks++), abort.signal);
        if (!abort.signal.aborted) {
          this.change(key, { state: 'going' });
        }
      }
    }
    if (this.running.get(key) === abort) {
      this.running.delete(key);
    }
    this.begin();
  }

  /** From where it is to its end; its address. */
  private async bring(key: number, signal: AbortSignal, moved: () => void): Promise<string | null> {
    const file = this.files.get(key);
    const one = this.transfers.find((other) => other.key === key);
    if (!file || !one) {
      return null;
    }
    let { url, offset, at } = await this.find(key, one, file, signal);
    this.change(key, { sent: offset });
    while (at === null) {
      const from = offset;
      const piece = file.slice(from, from + this.piece);
      try {
        ({ offset, at } = await this.means.send(url, from, piece, signal, (bytes) =>
          this.change(key, { sent: from + Math.min(bytes, piece.size) }),
        ));
        moved();
      } catch (cause) {
        const { status, code } = asApiError(cause);
        if (status !== 413 || code || this.piece <= LEAST_PIECE) {
          throw cause;
        }
        this.piece /= 2;
      }
      this.change(key, { sent: offset, state: 'going' });
    }
    return at;
  }

  /** The upload that was begun before, else a new one. */
  private async find(
    key: number,
    one: Transfer,
    file: File,
    signal: AbortSignal,
  ): Promise<tus.Created> {
    const before = this.urls.get(key);
    const known = before ? await this.means.look(before, signal) : null;
    if (before && known) {
      return { url: before, ...known };
    }
    const about = { folder: one.folder, name: one.path, size: file.size };
    const mark = String(file.lastModified);
    const created = await this.means.create(this.root, { ...about, mark }, signal);
    this.urls.set(key, created.url);
    return created;
  }

  private stop(key: number, state: TransferState): void {
    this.change(key, { state });
    this.running.get(key)?.abort();
    this.running.delete(key);
    this.begin();
  }

  private forget(key: number): void {
    this.files.delete(key);
    this.urls.delete(key);
    this.running.delete(key);
    this.set(this.transfers.filter((one) => one.key !== key));
  }

  private change(key: number, changes: Partial<Transfer>): void {
    this.set(this.transfers.map((one) => (one.key === key ? { ...one, ...changes } : one)));
  }

  private set(transfers: readonly Transfer[]): void {
    this.transfers = transfers;
    this.listeners.forEach((listener) => listener());
  }
}

/** Whether it may be over by itself: the network, a proxy, a node that is busy; an upload that it has forgotten. */
export const passes = ({ kind, status, code }: ApiError): boolean =>
  kind === 'network' ||
  kind === 'gateway' ||
  ['wrong_offset', 'no_such_upload', 'upload_busy', 'node_away', 'not_running'].includes(code) ||
  status === 429 ||
  (status >= 500 && status !== 507 && code !== 'file_system_failed');

/** Half a second, then longer and longer. */
export const pauseAfter = (breaks: number): number => Math.min(LONGEST_PAUSE_MS, 500 * 2 ** breaks);

/** So long, or until the browser has a network again. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      window.removeEventListener('online', over);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    window.addEventListener('online', over);
    signal.addEventListener('abort', over);
  });
}

const usual: Means = { ...tus, pause };
