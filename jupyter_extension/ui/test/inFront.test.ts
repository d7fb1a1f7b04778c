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

afterEach(() => vi.unstubAllGlobals());

describe('what answers in the place of our server', () => {
  it.each([
    ['JupyterHub, of a server that has ended', moved(json(424, { message: 'no' }), HUB), 'stopped'],
    ['the same as a page', moved(page(424), HUB), 'stopped'],
    ['a Hub that keeps its older answer', moved(json(503, { message: 'no' }), HUB), 'stopped'],
    ['a Hub that is starting it', moved(page(200), 'https://h/hub/spawn-pending/a'), 'away'],
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
    ['the gateway', json(200, { status: 'ok' }), null],
    ['the gateway, after a login renewed', moved(json(200, { status: 'ok' }), HUB), null],
  ])('%s', async (_, answer, cause) => {
    expect(await judge(answer)).toBe(cause);
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
    [moved(json(424, { message: 'JupyterHub server no longer running' }), HUB), 'stopped'],
    [moved(page(200), 'https://hub/hub/spawn-pending/alice'), 'gateway'],
    [moved(page(200), 'https://hub/hub/login'), 'expired'],
  ])('is told from our API', async (answer, kind) => {
    vi.stubGlobal('fetch', vi.fn().mockResolvedValue(answer));
    vi.stubGlobal('document', { cookie: '' });
    await expect(new ApiClient('/').sessions()).rejects.toMatchObject({ kind });
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
    ['on', { scheduler: 'slurm', way: 'guest', slurm_job_id: '7' }, '8'],
    ['with', { scheduler: 'slurm', way: 'guest', slurm_job_id: '7' }, '7'],
    ['unknown', { scheduler: 'local', way: 'job', slurm_job_id: null }, null],
  ] as [string, Partial<Session>, string | null][])('%s: %o, server in job %s', (fate, of, job) => {
    expect(fateOf(session(of), job)).toBe(fate);
  });
});

describe('the banner', () => {
  function words(language: 'en' | 'ko', cause: Cause, of: Partial<Session>, more = {}): string {
    const connection = step(newConnection, { type: 'failed', at: Date.now(), cause });
    const banner = createElement(ConnectionBanner, { connection, session: session(of) });
    return render(banner, language, more);
  }
  const guest: Partial<Session> = { way: 'guest', slurm_job_id: '7' };
  const atHub = { hubHome: '/hub/home', job: '7' };

  it('does not say of a desktop that it runs when it ended with its server', () => {
    const html = words('en', 'stopped', guest, atHub);
    expect(html).toContain('has ended with it');
    expect(html).not.toMatch(/keeps running|reconnecting|spinner/);
    expect(html).toContain('href="/hub/home"');
    expect(html).toContain('role="alert"');
    expect(words('ko', 'stopped', guest, atHub)).toMatch(/함께 끝났습니다.*JupyterHub로 이동/);
  });

  it('says of a desktop with a job of its own that it runs on, and how to come back to it', () => {
    const html = words('en', 'stopped', {}, atHub);
    expect(html).toMatch(/keeps running in its own job\. Start the server again at JupyterHub/);
    expect(words('en', 'stopped', { scheduler: 'local', slurm_job_id: null })).toMatch(
      /may keep running\..*Reload the page/,
    );
  });

  it.each(['away', 'network', 'node'] as Cause[])('goes on trying while it is %s', (cause) => {
    const html = words('en', cause, {});
    expect(html).toMatch(/spinner.*role="status".*role="timer"/);
    expect(words('en', cause, guest, atHub)).not.toMatch(
      cause === 'node' ? /job of/ : /It keeps running/,
    );
  });

  it.each(['away', 'stopped', 'login', 'unknown'] as Cause[])('speaks Korean of %s', (cause) => {
    for (const of of [{}, guest, { scheduler: 'local', slurm_job_id: null }]) {
      const text = words('ko', cause, of, atHub).replace(/<[^>]*>/g, '');
      expect(text).toMatch(/[가-힣]/);
      expect(text.replace(/Jupyter(Hub)?/g, '')).not.toMatch(/[A-Za-z]{3}/);
    }
  });

  it('has a way to log in', () => {
    expect(words('en', 'login', {})).toContain('Reload the page</button>');
  });
});
