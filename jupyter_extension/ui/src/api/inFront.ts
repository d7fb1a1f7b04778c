/**
 * What a proxy in front of our server says when it answers in the server's place:
 * `stopped` the Hub knows that this server has ended and would start it, `pending` the Hub is ending
 * it or starting it, `away` there is one and it does not answer, `login` somebody has to log in first,
 * `unknown` anything else.
 */
export type InFront = 'stopped' | 'pending' | 'away' | 'login' | 'unknown';

type Seen = Pick<Response, 'status' | 'redirected' | 'url'>;

/** JupyterHub 2 and later, of a server that is not running; before, and where a site has kept it, 503. */
const NOT_RUNNING = 424;

/** configurable-http-proxy: 503; nginx and Apache: 502, 503, 504. */
const AWAY = new Set([502, 503, 504]);

/** JupyterHub's page of a server that is on its way up or down, or (with an error) failed to start. */
const PENDING = /\/spawn-pending\//;

/** Who asks has found out before that the answer is not our server's own. */
export function saidInFront({ status, redirected, url }: Seen): InFront {
  if (status === NOT_RUNNING || (status === 503 && redirected)) {
    return 'stopped';
  }
  const page = status >= 200 && status < 300;
  if (PENDING.test(url)) {
    return page ? 'pending' : 'stopped';
  }
  if (AWAY.has(status)) {
    return 'away';
  }
  // A redirect that ends elsewhere leads to a login page, or to one for those who have no access.
  return page || redirected || status === 401 || status === 403 ? 'login' : 'unknown';
}

/**
 * As `fetch`, with two answers that a browser or a Hub keeps to itself.
 *
 * A redirect to another host: many a login page has a host of its own, and a browser tells a page that
 * it may not read from there as if the network were away. Gives null for such a redirect.
 *
 * What a Hub does with a server that does not run: a program is told that it has ended, also while it
 * is being started again or has still to end; who asks for a page, such as `page` of that server, is
 * led to another one meanwhile.
 */
export async function fetchSeen(
  url: string,
  init: RequestInit,
  page: string,
): Promise<Response | null> {
  try {
    const answer = await fetch(url, init);
    return saidInFront(answer) === 'stopped' ? await ofAHub(answer, page, init.signal) : answer;
  } catch (cause) {
    if (init.signal?.aborted || (init.method ?? 'GET') !== 'GET') {
      throw cause;
    }
    const first = await fetch(url, { ...init, redirect: 'manual' });
    if (first.type === 'opaqueredirect') {
      return null;
    }
    throw cause;
  }
}

/** The Hub's page of a server that is on its way, else the answer that was there. */
async function ofAHub(
  answer: Response,
  page: string,
  signal: AbortSignal | null | undefined,
): Promise<Response> {
  try {
    const asked = await fetch(page, {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { Accept: 'text/html' },
      signal,
    });
    return saidInFront(asked) === 'pending' ? asked : answer;
  } catch {
    return answer; // which was there, whatever became of the second
  }
}
