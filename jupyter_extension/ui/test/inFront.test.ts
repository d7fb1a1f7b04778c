import { readdirSync, readFileSync } from 'node:fs';

import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiClient } from '../src/api/client';
import { fetchSeen, saidInFront } from '../src/api/inFront';
import { OneSessionClient } from '../src/api/oneSession';
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
const LED_AWAY = { type: 'opaqueredirect', status: 0, ok: false };
const AT_HUB = '/portal/hub/spawn/alice/one';

afterEach(() => vi.unstubAllGlobals());

describe('what answers in the place of our server', () => {
  it.each([
    ['a proxy that knows of a Hub’s server that it has ended', json(424, {}), 'stopped'],
    ['configurable-http-proxy', page(503), 'away'],
    ['nginx without a server', page(502), 'away'],
    ['nginx with one that is slow', page(504), 'away'],
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
    [
      'one of today',
      json(200, { status: 'ok', restarts: 3, waiting: 1 }),
      { restarts: 3, waiting: 1 },
    ],
  ])('%s', async (_, answer, health) => {
    expect(await judge(answer)).toMatchObject({ away: false, ...health });
  });

  it('is not taken for a Hub’s word when a proxy answers at our own address', () => {
    expect(saidInFront(seen(503))).toBe('away');
  });
});

/** A server that leads elsewhere, and a Hub that answers so of its page and of where it waits. */
function hubThat(...answers: unknown[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal('document', { cookie: '' });
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    expect(init.redirect).toBe('manual');
    asked.push(url);
    return Promise.resolve(asked.length === 1 ? LED_AWAY : answers[asked.length - 2]);
  });
  return asked;
}

describe('a redirect in the place of our server’s answer', () => {
  const hubs = ['/portal/hub/user/alice/one', '/portal/hub/spawn-pending/alice/one'];

  it.each([
    ['has ended', [page(424)], 'stopped', 'stopped'],
    ['has ended, as it said before', [page(503)], 'stopped', 'stopped'],
    ['is on its way', [LED_AWAY, page(200)], 'pending', 'gateway'],
    ['failed to start', [LED_AWAY, page(500)], 'stopped', 'stopped'],
    ['is there, and wants a login', [LED_AWAY, LED_AWAY], 'login', 'expired'],
    ['is none of its servers', [page(404)], 'login', 'expired'],
  ])('is not followed; the Hub says that it %s', async (_, answers, cause, kind) => {
    let asked = hubThat(...answers);
    expect(await fetchSeen('/x', {}, AT_HUB)).toBe(cause);
    expect(asked).toEqual(['/x', ...hubs.slice(0, answers.length)]);
    asked = hubThat(...answers);
    for (const client of [ApiClient, OneSessionClient]) {
      asked.length = 0;
      vi.stubGlobal('window', new EventTarget());
      await expect(new client('/u/', AT_HUB).sessions()).rejects.toMatchObject({ kind });
    }
  });

  it('is a login where the Hub has a host of its own, which cannot be asked', async () => {
    hubThat(Promise.reject(new TypeError('Failed to fetch')));
    expect(await fetchSeen('/x', {}, `https://hub${AT_HUB}`)).toBe('login');
    hubThat(Promise.reject(new DOMException('too long', 'AbortError')));
    const late = { signal: AbortSignal.abort() };
    await expect(fetchSeen('/x', late, AT_HUB)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('is a login where there is no Hub', async () => {
    const asked = hubThat();
    expect(await fetchSeen('/x', {}, null)).toBe('login');
    expect(asked).toEqual(['/x']);
  });

  // Followed, it logs in, and another window that does so at that moment is refused by a Hub's server.
  it('is followed by nothing that asks by itself', () => {
    const root = new URL('../src/', import.meta.url);
    const sources = readdirSync(root, { recursive: true, encoding: 'utf8' });
    const asking = sources
      .filter((name) => /\.tsx?$/.test(name))
      .flatMap((name) => {
        const text = readFileSync(new URL(name, root), 'utf8');
        return [...text.matchAll(/\bfetch\(/g)].map(({ index }) => text.slice(index, index + 300));
      })
      .filter((call) => !call.startsWith('fetch()'));
    expect(asking.length).toBeGreaterThan(4);
    for (const call of asking) {
      expect(call).toContain("redirect: 'manual'");
    }
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
