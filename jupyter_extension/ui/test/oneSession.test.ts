import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ENDED, OneSessionClient } from '../src/api/oneSession';
import { readSettings, type PageSettings } from '../src/config';
import { doorOf } from '../src/door';
import { session } from './sample';

const said = (text: string): Document =>
  ({ getElementById: () => ({ textContent: text }) }) as unknown as Document;

describe('the settings of a page', () => {
  it('leave the address to the page where its server cannot know it', () => {
    const at = 'https://portal/node/n1/40123/?x#y';
    const settings = readSettings(said('{"user": "alice", "only": "ml-a-1"}'), at);
    expect(settings).toMatchObject({ baseUrl: '/node/n1/40123/', only: 'ml-a-1', can: [] });
    expect(settings.hubStart).toBeNull();
  });

  it("are the server's own where that says more", () => {
    const text = '{"baseUrl": "/user/alice/", "user": "alice", "job": "7", "hubStart": null}';
    const settings = readSettings(said(text), 'https://hub/user/alice/moonlight/');
    expect(settings).toMatchObject({ baseUrl: '/user/alice/', job: '7', only: null });
    expect(settings.can).toEqual(['launch', 'logs']);
  });
});

describe('a door', () => {
  const usual: PageSettings = readSettings(said('{"baseUrl": "/user/a/"}'), 'https://hub/');
  beforeEach(() => vi.stubGlobal('window', new EventTarget()));
  afterEach(() => vi.unstubAllGlobals());

  it('with all sessions has a page for each, and one for all', () => {
    const door = doorOf(usual);
    expect(door.home).toBe('/user/a/moonlight/');
    expect(door.route('/user/a/moonlight/')).toEqual({ page: 'home' });
    expect(door.viewer('ml-a-1')).toBe('/user/a/moonlight/sessions/ml-a-1/');
    expect([door.launches, door.logs]).toEqual([true, true]);
  });

  it('with one session shows that, and no way to pages that are not there', () => {
    const door = doorOf({ ...usual, baseUrl: '/node/n1/8/', only: 'ml-a-1', can: [] });
    expect(door.home).toBeNull();
    expect(door.route('/node/n1/8/')).toEqual({ page: 'viewer', sessionId: 'ml-a-1' });
    expect([door.launches, door.logs]).toEqual([false, false]);
  });
});

describe('the one session', () => {
  const running = session({ status: 'running' });
  let answer: () => Response;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('window', new EventTarget());
    vi.stubGlobal('document', { cookie: '' });
    answer = () => Response.json({ sessions: [running] });
    vi.stubGlobal('fetch', () => Promise.resolve(answer()));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const listen = (client: OneSessionClient) => {
    const heard: [string, unknown][] = [];
    const broken = vi.fn();
    const stop = client.events((name, data) => heard.push([name, JSON.parse(data)]), broken);
    return { heard, broken, stop };
  };

  it('is asked for again and again, and told when it has changed', async () => {
    const { heard, stop } = listen(new OneSessionClient('/'));
    await vi.advanceTimersByTimeAsync(9_000);
    expect(heard.map(([name]) => name)).toEqual(['sessions', 'session']);
    answer = () => Response.json({ sessions: [{ ...running, notes: ['new'] }] });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(heard[2]).toEqual(['session', { ...running, notes: ['new'] }]);
    stop();
    answer = () => Response.json({ sessions: [] });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(heard).toHaveLength(3);
  });

  it('says once that nobody answers', async () => {
    const { broken } = listen(new OneSessionClient('/'));
    await vi.advanceTimersByTimeAsync(0);
    answer = () => new Response('', { status: 503 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(broken).toHaveBeenCalledTimes(1);
  });

  it('has ended by the last word of its server, which is gone then', async () => {
    const client = new OneSessionClient('/');
    const ended = { ...running, status: 'cancelled', reason: 'You stopped it.' };
    const { heard, stop } = listen(client);
    await vi.advanceTimersByTimeAsync(0);
    const last = Object.assign(new Event(ENDED, { cancelable: true }), { detail: ended });
    expect(window.dispatchEvent(last)).toBe(false); // so nothing takes the page's place
    expect(heard[heard.length - 1]).toEqual(['session', ended]);
    answer = () => new Response('', { status: 503 });
    expect(await client.sessions()).toEqual([ended]); // as a hidden page asks
    stop();
    const none = Object.assign(new Event(ENDED, { cancelable: true }), { detail: null });
    expect(window.dispatchEvent(none)).toBe(true);
  });
});
