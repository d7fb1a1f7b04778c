import { ServerConnection } from '@jupyterlab/services';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { titleOf, type Desktop } from '../../labextension/src/desktop';
import { Desktops } from '../../labextension/src/desktops';
import { wordsOf } from '../../labextension/src/words';

const desktop = (changes: Partial<Desktop>): Desktop => ({
  session_id: 'ml-alice-1',
  image_name: 'XFCE desktop',
  status: 'running',
  node: 'n1',
  web_url: '/moonlight/sessions/ml-alice-1/',
  created_at: '2026-11-28T09:05:00',
  ...changes,
});

describe('a desktop in JupyterLab', () => {
  const plain = desktop({});
  const named = desktop({ session_id: 'ml-alice-2', name: 'Molecules' });

  it('is called by its name, else by that of its image', () => {
    expect(titleOf(plain, [plain, named], 'en')).toBe('XFCE desktop');
    expect(titleOf(named, [plain, named], 'en')).toBe('Molecules');
    const korean = desktop({ image_names: { ko: 'XFCE 데스크톱' } });
    expect(titleOf(korean, [korean], 'ko')).toBe('XFCE 데스크톱');
    expect(titleOf(korean, [korean], 'en')).toBe('XFCE desktop');
  });

  it('is told from another one of the same name by where and since when it is', () => {
    const waits = desktop({ session_id: 'ml-alice-3', node: null, status: 'pending' });
    expect(titleOf(plain, [plain, waits], 'en')).toBe('XFCE desktop (n1, 09:05 AM)');
    expect(titleOf(waits, [plain, waits], 'en')).toBe('XFCE desktop (09:05 AM)');
  });

  it.each([
    ['ko_KR', 'ko'],
    ['ko-KR', 'ko'],
    ['en', 'en'],
    ['kok', 'en'],
    ['fr_FR', 'en'],
  ])('speaks the language of JupyterLab, %s, as far as there are words', (code, tag) => {
    expect(wordsOf(code).tag).toBe(tag);
  });
});

describe('the desktops that JupyterLab knows', () => {
  let sessions: Desktop[] = [];
  let asked: string[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return new Response(JSON.stringify({ sessions }));
  };
  const page = { hidden: false, cookie: '', addEventListener: vi.fn() };
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1:1/user/alice/',
    fetch: fetch as typeof window.fetch,
  });
  const known = (): Desktops => new Desktops(settings, wordsOf('en'));
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    vi.stubGlobal('document', page);
    [sessions, asked, page.hidden] = [[], [], false];
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  /** Some time, and then what it has set going: the polls begin in `setImmediate`. */
  const pass = async (ms: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(ms);
    for (let turn = 0; turn < 9; turn += 1) {
      await new Promise((done) => setImmediate(done));
    }
  };
  const older = desktop({ session_id: 'ml-alice-0', created_at: '2026-11-28T08:00:00' });

  it('are told newest first, once for each change that is shown', async () => {
    const desktops = known();
    const told = vi.fn();
    desktops.changed.connect(told);
    sessions = [older, desktop({})];
    await desktops.refresh();
    await pass(1);
    expect(desktops.live.map(({ session_id }) => session_id)).toEqual(['ml-alice-1', 'ml-alice-0']);
    sessions = sessions.map((one) => ({ ...one, ends_at: 'later' }));
    await desktops.refresh();
    await pass(1);
    expect(told).toHaveBeenCalledTimes(1);
    sessions = [{ ...older, status: 'stopping' }, desktop({})];
    await desktops.refresh();
    await pass(1);
    expect(told).toHaveBeenCalledTimes(2);
    expect(desktops.running).toEqual([desktop({})]);
    expect(desktops.byId('ml-alice-0')?.status).toBe('stopping');
  });

  it('are asked for while the page is seen, oftener while one starts, and at once on coming back', async () => {
    const desktops = known();
    desktops.watch();
    await pass(10);
    expect(asked).toEqual(['GET /user/alice/api/moonlight/sessions']);
    await pass(14_000);
    expect(asked).toHaveLength(1);
    sessions = [desktop({ status: 'starting' })];
    await pass(1_500);
    expect(asked).toHaveLength(2);
    await pass(3_100);
    expect(asked).toHaveLength(3);
    page.hidden = true;
    await pass(60_000);
    expect(asked).toHaveLength(3);
    page.hidden = false;
    page.addEventListener.mock.calls[0]![1]();
    await pass(10);
    expect(asked).toHaveLength(4);
  });

  it('are stopped, and asked for again', async () => {
    await known().stop(desktop({}));
    await pass(10);
    expect(asked).toEqual([
      'DELETE /user/alice/api/moonlight/sessions/ml-alice-1',
      'GET /user/alice/api/moonlight/sessions',
    ]);
  });
});
