/**
 * What a proxy in front of our server says when it answers in the server's place:
 * `stopped` the Hub knows that this server has ended, `away` there is one and it does not answer,
 * `login` somebody has to log in first, `unknown` anything else.
 */
export type InFront = 'stopped' | 'away' | 'login' | 'unknown';

type Seen = Pick<Response, 'status' | 'redirected' | 'url'>;

/** JupyterHub 2 and later, of a server that is not running; before, and where a site has kept it, 503. */
const NOT_RUNNING = 424;

/** configurable-http-proxy: 503; nginx and Apache: 502, 503, 504. */
const AWAY = new Set([502, 503, 504]);

/** JupyterHub's page of a server that is on its way up. */
const BEING_STARTED = /\/spawn-pending\//;

/** Who asks has found out before that the answer is not our server's own. */
export function saidInFront({ status, redirected, url }: Seen): InFront {
  if (status === NOT_RUNNING || (status === 503 && redirected)) {
    return 'stopped';
  }
  if (AWAY.has(status) || BEING_STARTED.test(url)) {
    return 'away';
  }
  const page = status >= 200 && status < 300;
  // A redirect that ends elsewhere leads to a login page, or to one for those who have no access.
  return page || redirected || status === 401 || status === 403 ? 'login' : 'unknown';
}

/**
 * As `fetch`, where a redirect to another host is an answer, too: many a login page has a host of
 * its own, and a browser tells a page that it may not read from there as if the network were away.
 *
 * Gives null for such a redirect.
 */
export async function fetchSeen(url: string, init: RequestInit): Promise<Response | null> {
  try {
    return await fetch(url, init);
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
