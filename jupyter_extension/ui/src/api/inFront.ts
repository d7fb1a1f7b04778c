/**
 * What a proxy in front of our server says when it answers in the server's place:
 * `stopped` the Hub knows that this server has ended and would start it, `pending` the Hub is ending
 * it or starting it, `away` there is one and it does not answer, `login` somebody has to log in first,
 * `unknown` anything else.
 */
export type InFront = 'stopped' | 'pending' | 'away' | 'login' | 'unknown';

/** JupyterHub 2 and later, of a server that is not running. */
const NOT_RUNNING = 424;
/** The same of a Hub before, or where a site has kept it. */
const NOT_RUNNING_BEFORE = 503;

/** configurable-http-proxy: 503; nginx and Apache: 502, 503, 504. */
const AWAY = new Set([502, 503, 504]);

/** Who asks has found out before that the answer is not our server's own. */
export function saidInFront({ status }: Pick<Response, 'status'>): InFront {
  if (status === NOT_RUNNING) {
    return 'stopped';
  }
  if (AWAY.has(status)) {
    return 'away';
  }
  const page = status >= 200 && status < 300;
  return page || status === 401 || status === 403 ? 'login' : 'unknown';
}

/**
 * As `fetch`, but no redirect is followed: it is told who has answered with one.
 *
 * A redirect leads to a login, or to the Hub, which answers for a server that does not run. Whoever
 * follows one may be logged in on the way without having said so, at a moment when another window of
 * the user's logs in: a Hub's server forgets all logins that have begun as soon as one is done, and the
 * other window gets 403. So nothing that looks by itself logs in; the user does, who opens a page.
 *
 * @param hubStart the Hub's page that starts our server again; null without a Hub
 */
export async function fetchSeen(
  url: string,
  init: RequestInit,
  hubStart: string | null,
): Promise<Response | InFront> {
  const answer = await fetch(url, { ...init, redirect: 'manual' });
  if (answer.type !== 'opaqueredirect') {
    return answer;
  }
  try {
    return hubStart === null ? 'login' : await ofAHub(hubStart, init.signal);
  } catch (cause) {
    if (init.signal?.aborted) {
      throw cause;
    }
    return 'login'; // a Hub with a host of its own says nothing to pages of another
  }
}

/**
 * What the Hub says of our server. Asked for a program's address it says of one that starts, or has
 * still to end, that there is none; asked for a page, it leads to another page meanwhile.
 */
async function ofAHub(hubStart: string, signal: RequestInit['signal']): Promise<InFront> {
  const at = (what: string): Promise<Response> =>
    fetch(hubStart.replace('/hub/spawn/', `/hub/${what}/`), {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { Accept: 'text/html' },
      redirect: 'manual',
      signal,
    });
  const server = await at('user');
  if (server.status === NOT_RUNNING || server.status === NOT_RUNNING_BEFORE) {
    return 'stopped';
  }
  if (server.type === 'opaqueredirect') {
    const pending = await at('spawn-pending');
    if (pending.type !== 'opaqueredirect') {
      return pending.ok ? 'pending' : 'stopped';
    }
  }
  return 'login'; // at the Hub, or at our server, which is there
}
