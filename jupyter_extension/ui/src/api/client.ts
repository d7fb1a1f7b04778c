import { noteServerDate } from '../time/clock';
import { ApiError, asApiError, errorFromAnswer, errorInFront, retryAfterMs } from './errors';
import { readEvents, type ServerEvent } from './eventStream';
import { fetchSeen } from './inFront';
import { readPicture, type Picture } from '../preview/picture';
import type { Joined } from '../sharing/joined';
import type {
  Invitation,
  InvitationRequest,
  MadeInvitation,
  Role,
  Sharing,
} from '../sharing/sharing';
import type {
  Budget,
  Choices,
  ClipboardText,
  Image,
  KeptChoices,
  LaunchRequest,
  Log,
  Native,
  PairedClient,
  PairRequest,
  Session,
  Site,
} from './types';

/** sbatch on a busy controller may take this long; a shorter limit would only cause retries. */
const ANSWER_WITHIN_MS = 60_000;
const LOG_TAIL_BYTES = 65_536;

interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Record<string, string>;
  body?: unknown;
  /** It arrives though the page is left meanwhile; 64 KiB at most. */
  keepalive?: boolean;
}

export class ApiClient {
  /** `hubStart`: the Hub's page that starts the server again; null without a Hub. */
  constructor(
    readonly baseUrl: string,
    private readonly hubStart: string | null = null,
  ) {}

  site = (): Promise<Site> => this.call('site');

  budget = (): Promise<Budget> => this.call('budget');

  /** What the user chose in the launch form; an older server keeps none. */
  choices = (): Promise<KeptChoices> => this.call('choices');

  keepChoices = (revision: string, choices: Choices): Promise<KeptChoices> =>
    this.call('choices', { method: 'PUT', body: { revision, choices }, keepalive: true });

  images = async (): Promise<Image[]> => (await this.call<{ images: Image[] }>('images')).images;

  async sessions(): Promise<Session[]> {
    return (await this.call<{ sessions: Session[] }>('sessions')).sessions;
  }

  session = (id: string): Promise<Session> => this.call(this.sessionPath(id));

  launch = (request: LaunchRequest, key: string): Promise<Session> =>
    this.call('sessions', { method: 'POST', headers: { 'Idempotency-Key': key }, body: request });

  stop = (id: string): Promise<Session> => this.call(this.sessionPath(id), { method: 'DELETE' });

  rename = (id: string, name: string): Promise<Session> =>
    this.call(this.sessionPath(id), { method: 'PATCH', body: { name } });

  /** Deletes what is on record of one that has ended, or of all that have; their ids. */
  forget = async (id: string | null): Promise<string[]> => {
    const path = id === null ? 'sessions?live=false' : `${this.sessionPath(id)}/record`;
    return (await this.call<{ deleted: string[] }>(path, { method: 'DELETE' })).deleted;
  };

  logs = async (id: string): Promise<Log[]> =>
    (await this.call<{ logs: Log[] }>(`${this.sessionPath(id)}/logs?tail=${LOG_TAIL_BYTES}`)).logs;

  native = (id: string): Promise<Native> => this.call(this.nativePath(id));

  /** Pairs the client that waits for its PIN. */
  pair = (id: string, request: PairRequest): Promise<PairedClient> =>
    this.call(`${this.nativePath(id)}/pin`, { method: 'POST', body: request });

  unpair = (id: string, uuid: string): Promise<unknown> =>
    this.call(`${this.nativePath(id)}/clients/${encodeURIComponent(uuid)}`, { method: 'DELETE' });

  /** What the desktop's clipboard holds. */
  clipboard = (id: string): Promise<ClipboardText> => this.call(this.clipboardPath(id));

  setClipboard = (id: string, text: string): Promise<unknown> =>
    this.call(this.clipboardPath(id), { method: 'PUT', body: { text } });

  /** That it is used, though nobody seems to use it. */
  keep = (id: string): Promise<unknown> =>
    this.call(`${this.sessionPath(id)}/keep`, { method: 'POST' });

  /** What its screen shows; null if that is still the `known` one. No sign that its user is active. */
  picture = (id: string, known?: string): Promise<Picture | null> =>
    this.call(
      `${this.picturePath(id)}?no_track_activity=1`,
      { headers: { Accept: 'image/jpeg', ...(known && { 'If-None-Match': known }) } },
      (answer) => readPicture(answer, readAnswer),
    );

  showPicture = (id: string, shown: boolean): Promise<unknown> =>
    this.call(this.picturePath(id), { method: 'PUT', body: { shown } });

  /** Who is invited to a running desktop. */
  sharing = (id: string): Promise<Sharing> => this.call(this.sharingPath(id));

  invite = (id: string, request: InvitationRequest): Promise<MadeInvitation> =>
    this.call(this.sharingPath(id), { method: 'POST', body: request });

  changeInvitation = (id: string, one: string, role: Role): Promise<Invitation> =>
    this.call(`${this.sharingPath(id)}/${one}`, { method: 'PATCH', body: { role } });

  /** Ends one, or all of them (null). */
  endInvitation = (id: string, one: string | null): Promise<Sharing> =>
    this.call(`${this.sharingPath(id)}${one === null ? '' : `/${one}`}`, { method: 'DELETE' });

  /** Brings an invitation of another user's, which counts once. */
  join = (invitation: string): Promise<Joined> =>
    this.call('guest', { method: 'POST', body: { invitation } });

  /** What changes, as it happens; see {@link readEvents}. */
  events(event: ServerEvent, broken: (afterMs: number) => void): () => void {
    return readEvents(this.url('events'), this.proof(), event, broken);
  }

  private sessionPath = (id: string): string => `sessions/${encodeURIComponent(id)}`;

  private nativePath = (id: string): string => `${this.sessionPath(id)}/native`;

  private clipboardPath = (id: string): string => `${this.sessionPath(id)}/clipboard`;

  private picturePath = (id: string): string => `${this.sessionPath(id)}/picture`;

  private sharingPath = (id: string): string => `${this.sessionPath(id)}/sharing`;

  private url = (path: string): string => `${this.baseUrl}api/moonlight/${path}`;

  /** That it is our page that asks: a Hub's server wants it of every request, Jupyter of changes. */
  private proof = (): Record<string, string> => ({ 'X-XSRFToken': xsrfToken(document.cookie) });

  private async call<T>(
    path: string,
    { method = 'GET', headers, body, keepalive }: Call = {},
    read: (answer: Response) => Promise<T> = readAnswer,
  ): Promise<T> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
    try {
      const init: RequestInit = {
        method,
        credentials: 'same-origin',
        cache: 'no-store',
        ...(keepalive && { keepalive }),
        signal: abort.signal,
        headers: {
          Accept: 'application/json',
          ...this.proof(),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      };
      const answer = await fetchSeen(this.url(path), init, this.hubStart);
      if (typeof answer === 'string') {
        throw errorInFront(answer);
      }
      return await read(answer);
    } catch (cause) {
      throw asApiError(cause);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readAnswer<T>(answer: Response): Promise<T> {
  noteServerDate(answer.headers.get('Date'));
  const isJson = (answer.headers.get('Content-Type') ?? '').includes('json');
  if (!answer.ok) {
    const body: unknown = isJson ? await answer.json().catch(() => null) : null;
    throw errorFromAnswer(answer, body, retryAfterMs(answer.headers.get('Retry-After')));
  }
  if (!isJson) {
    throw new ApiError('bad_answer', answer.status, '', '');
  }
  return (await answer.json()) as T;
}

export function xsrfToken(cookies: string): string {
  // The cookie of the most specific path comes first: on a hub there is one for /hub/ as well.
  const found = cookies.split('; ').find((cookie) => cookie.startsWith('_xsrf='));
  return found ? found.slice('_xsrf='.length) : '';
}
