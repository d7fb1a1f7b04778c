import { ApiError, asApiError, errorFromAnswer } from '../api/errors';

/** Numbers of bytes that a refusal speaks of. */
export interface Room {
  needed?: number;
  free?: number;
}

/** What the node says against a file, with the room that it needs and that there is. */
export class FileError extends ApiError {
  constructor(
    error: ApiError,
    readonly room: Room = {},
  ) {
    super(error.kind, error.status, error.code, error.message, error.fields, error.retryAfterMs);
  }
}

/** A place is the home or a directory of the site's list; `at` is its address, for this API alone. */
export interface Place {
  at: string;
  name: string;
}

export interface Places {
  places: Place[];
  /** Where files go if nothing is chosen. */
  usual: string;
}

export interface Entry {
  name: string;
  /** The part of its address behind the folder's. */
  at: string;
  kind: 'file' | 'folder';
  size: number | null;
  /** Seconds since 1970. */
  changed: number;
}

export interface Listing {
  in: string;
  entries: Entry[];
  total: number;
  /** There are more than the node looks at. */
  cut: boolean;
  free: number;
}

/** Whether a file is small enough for what stands between the browser and the desktop. */
export const fitsThrough = ({ kind, size }: Entry, most: number | null): boolean =>
  kind === 'folder' || most === null || size === null || size <= most;

export type Sort = 'name' | 'size' | 'time';

export const AT_ONCE = 200;

/** The user's folders, as the gateway of a running desktop shows them below `files/`. */
export class Folders {
  readonly root: string;

  constructor(streamUrl: string) {
    this.root = `${streamUrl}files/`;
  }

  places = (): Promise<Places> => this.ask<Places>('places');

  list(at: string, sort: Sort, hidden: boolean, from = 0): Promise<Listing> {
    const asked = { in: at, sort, from: String(from), most: String(AT_ONCE) };
    const query = new URLSearchParams({
      ...asked,
      ...(sort === 'name' ? {} : { reverse: '1' }),
      ...(hidden ? { hidden: '1' } : {}),
    });
    return this.ask<Listing>(`list?${query.toString()}`);
  }

  /** One below the other, as far as they are missing; the address of the last. */
  make = async (at: string, name: string): Promise<string> =>
    (await this.ask<{ at: string }>('folders', { in: at, name })).at;

  /** Where the browser can fetch a file by itself. */
  ticket = async (at: string): Promise<string> =>
    this.root + (await this.ask<{ href: string }>('fetch', { at })).href;

  private async ask<T>(path: string, body?: unknown): Promise<T> {
    try {
      const answer = await fetch(this.root + path, {
        method: body === undefined ? 'GET' : 'POST',
        credentials: 'same-origin',
        cache: 'no-store',
        redirect: 'manual', // to a login, which the user has to see
        headers: { Accept: 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      if (answer.type === 'opaqueredirect') {
        throw new ApiError('expired', 0, '', '');
      }
      if (!answer.ok) {
        throw refusalOf(answer.status, await answer.text());
      }
      return (await answer.json()) as T;
    } catch (cause) {
      throw asApiError(cause);
    }
  }
}

/** The error of an answer, whoever gave it. */
export function refusalOf(status: number, text: string): FileError {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // a proxy's page
  }
  const answer = { status, redirected: false, url: '' };
  const { needed, free } = ((body as { error?: Room } | null)?.error ?? {}) as Room;
  return new FileError(errorFromAnswer(answer, body), { needed, free });
}

/** `~/a%20b` is `['~', '~/a%20b']`: the way to a folder. */
export function wayTo(at: string): string[] {
  const parts = at.split('/');
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

/** The name of an address's last part, for people. */
export function nameOf(at: string): string {
  const part = at.slice(at.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // bytes that are no UTF-8
  }
}
