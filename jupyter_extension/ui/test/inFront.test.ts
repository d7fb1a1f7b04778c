import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiClient } from '../src/api/client';
import { saidInFront } from '../src/api/inFront';
import type { Session } from '../src/api/types';
import { ConnectionBanner } from '../src/viewer/ConnectionBanner';
import { newConnection, step, type Cause } from '../src/viewer/connection';
import { fateOf } from '../src/viewer/fate';
import { judge } from '../src/viewer/watch';
import { render } from './render';
import { seen, session } from './sample';

const json = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json' },
  });
const page = (status: number): Response =>
  new Response('<h1>…</h1>', { status, headers: { 'Content-Type': 'text/html' } });
const moved = (answer: Response, url: string): Response => {
  Object.defineProperty(answer, 'redirected', { value: true });
  Object.defineProperty(answer, 'url', { value: url });
  return answer;
};
const HUB = 'https://hub/hub/user/alice/moonlight/x';
const PENDING = 'https://hub/hub/spawn-pending/alice';
const ENDED = moved(json(424, { message: 'no' }), HUB);

afterEach(() => vi.unstubAllGlobals());

describe('what answers in the place of our server', () => {
  it.each([
    ['JupyterHub, of a server that has ended', moved(json(424, { message: 'no' }), HUB), 'stopped'],
    ['the same as a page', moved(page(424), HUB), 'stopped'],
    ['a Hub that keeps its older answer', moved(json(503, { message: 'no' }), HUB), 'stopped'],
    ['a Hub that is starting it', moved(page(200), PENDING), 'pending'],
    ['a Hub that could not start it', moved(page(500), PENDING), 'stopped'],
    ['configurable-http-proxy', page(503), 'away'],
    ['nginx without a server', page(502), 'away'],
    ['nginx with one that is slow', page(504), 'away'],
    ['a login page after a redirect', moved(page(200), 'https://hub/hub/login'), 'login'],
    ['a login page in its place', page(200), 'login'],
    ['a proxy that wants a login', page(401), 'login'],
    ['our server without a login', json(403, { error: { code: 'forbidden' } }), 'login'],
    ['our server, of the gateway', json(502, { error: { code: 'node_away' } }), 'node'],
    ['our server, of an end', json(410, { error: { code: 'ended' } }), 'node'],
    ['a proxy that knows no such way', page(404), 'unknown'],
    ['the gateway, of a host that has ended', json(200, { status: 'starting' }), 'host'],
    [
      'the gateway, of one that ends again and again',
      json(200, { status: 'starting', pausing: true, restarts: 4 }),
      'pausing',
    ],
  ])('%s', async (_, answer, cause) => {
    expect(await judge(answer)).toBe(cause);
  });

  it.each([
    ['the gateway', json(200, { status: 'ok' }), { restarts: null, waiting: 0 }],
    ['the same, after a login renewed', moved(json(200, { status: 'ok' }), HUB), { waiting: 0 }],
    [
      'one of today',
      json(200, { status: 'ok', restarts: 3, waiting: 1 }),
      { restarts: 3, waiting: 1 },
    ],
  ])('%s', async (_, answer, health) => {
    expect(await judge(answer)).toMatchObject({ away: false, ...health });
  });

  it('is asked once more, without following, where a redirect leads to another host', async () => {
    const asked = vi
      .fn()
      .mockRejectedValueOnce(new TypeError('Failed to fetch'))
      .mockResolvedValueOnce({ type: 'opaqueredirect', status: 0 });
    vi.stubGlobal('fetch', asked);
    vi.stubGlobal('document', { cookie: '' });
    await expect(new ApiClient('/').sessions()).rejects.toMatchObject({ kind: 'expired' });
    expect(asked.mock.calls[1]?.[1]).toMatchObject({ redirect: 'manual' });
  });

  it.each([
    [ENDED, 'stopped'],
    [moved(page(200), PENDING), 'gateway'],
    [moved(page(200), 'https://hub/hub/login'), 'expired'],
  ])('is told from our API', async (answer, kind) => {
    vi.stubGlobal('fetch', vi.fn().mockResolvedValue(answer));
    vi.stubGlobal('document', { cookie: '' });
    await expect(new ApiClient('/').sessions()).rejects.toMatchObject({ kind });
  });

  it.each([
    ['is on its way', moved(page(200), PENDING), 'gateway'],
    ['has ended', moved(page(424), HUB), 'stopped'],
    ['failed to start', moved(page(500), PENDING), 'stopped'],
    ['is there again', page(200), 'stopped'], // and is so at the next look
  ])('is asked for as a page: only there a Hub says that it %s', async (_, answer, kind) => {
    const asked = vi.fn().mockResolvedValueOnce(ENDED).mockResolvedValueOnce(answer);
    vi.stubGlobal('fetch', asked);
    vi.stubGlobal('document', { cookie: '' });
    await expect(new ApiClient('/user/alice/').sessions()).rejects.toMatchObject({ kind });
    expect(asked.mock.calls[1]).toMatchObject([
      '/user/alice/moonlight/',
      { headers: { Accept: 'text/html' } },
    ]);
  });

  it('is what was said first where the second question gets lost', async () => {
    const lost = new TypeError('Failed to fetch');
    const asked = vi.fn().mockResolvedValueOnce(ENDED).mockRejectedValueOnce(lost);
    vi.stubGlobal('fetch', asked.mockResolvedValue({ type: 'opaqueredirect', status: 0 }));
    vi.stubGlobal('document', { cookie: '' });
    await expect(new ApiClient('/').sessions()).rejects.toMatchObject({ kind: 'stopped' });
  });

  it('is not taken for a Hub’s word when a proxy answers at our own address', () => {
    expect(saidInFront(seen(503))).toBe('away');
    expect(saidInFront(seen(503, { redirected: true }))).toBe('stopped');
  });
});

describe('what becomes of the desktop', () => {
  it.each([
    ['on', { scheduler: 'slurm', way: 'job', slurm_job_id: '7' }, null],
    ['on', { scheduler: 'slurm', way: 'owning', slurm_job_id: '7' }, '7'],
    ['elsewhere', { scheduler: 'slurm', way: 'guest', slurm_job_id: '7' }, '8'],
    ['elsewhere', { scheduler: 'slurm', way: 'guest', slurm_job_id: '7' }, null],
    ['with', { scheduler: 'slurm', way: 'guest', slurm_job_id: '7' }, '7'],
    ['unknown', { scheduler: 'local', way: 'job', slurm_job_id: null }, null],
  ] as [string, Partial<Session>, string | null][])('%s: %o, server in job %s', (fate, of, job) => {
    expect(fateOf(session(of), job)).toBe(fate);
  });
});

const LOCAL: Partial<Session> = { scheduler: 'local', slurm_job_id: null };

describe('the banner', () => {
  function words(language: 'en' | 'ko', cause: Cause, of: Partial<Session>, more = {}): string {
    const connection = step(newConnection, { type: 'failed', at: Date.now(), cause });
    const banner = createElement(ConnectionBanner, { connection, session: session(of) });
    return render(banner, language, more);
  }
  const guest: Partial<Session> = { way: 'guest', slurm_job_id: '7' };
  const atHub = { hubStart: '/hub/spawn/alice/one', job: '7' };

  it('does not say of a desktop that it runs when it ended with its server', () => {
    const html = words('en', 'stopped', guest, atHub);
    expect(html).toContain('has ended with it');
    expect(html).not.toMatch(/keeps running|reconnecting|spinner/);
    expect(html).toContain('href="/hub/spawn/alice/one"');
    expect(html).toContain('role="alert"');
    expect(words('ko', 'stopped', guest, atHub)).toMatch(/함께 끝났습니다.*서버 시작/);
  });

  it('says of a desktop with a job of its own that it runs on, and how to come back to it', () => {
    const html = words('en', 'stopped', {}, atHub);
    expect(html).toMatch(/keeps running in its own job\. Start the server again at JupyterHub/);
    expect(words('en', 'stopped', LOCAL)).toMatch(/may keep running\..*Reload the page/);
  });

  it.each(['away', 'pending', 'network', 'node'] as Cause[])(
    'goes on trying while it is %s',
    (cause) => {
      const html = words('en', cause, {});
      expect(html).toMatch(/spinner.*role="status".*role="timer"/);
      expect(words('en', cause, guest, atHub)).not.toMatch(
        cause === 'node' ? /ends with/ : /keeps running/,
      );
    },
  );

  it('says of a guest of another server’s job that it runs on with that', () => {
    for (const cause of ['stopped', 'away', 'pending'] as Cause[]) {
      const html = words('en', cause, { ...guest, slurm_job_id: '8' }, atHub);
      expect(html).toContain('keeps running as long as the job that it was started in');
    }
  });

  const causes = ['away', 'pending', 'stopped', 'login', 'unknown'] as Cause[];
  it.each(causes)('speaks Korean of %s', (cause) => {
    for (const of of [{}, guest, { ...guest, slurm_job_id: '8' }, LOCAL]) {
      const text = words('ko', cause, of, atHub).replace(/<[^>]*>/g, '');
      expect(text).toMatch(/[가-힣]/);
      expect(text.replace(/Jupyter(Hub)?/g, '')).not.toMatch(/[A-Za-z]{3}/);
    }
  });

  it('has a way to log in', () => {
    expect(words('en', 'login', {})).toContain('Reload the page</button>');
  });
});
