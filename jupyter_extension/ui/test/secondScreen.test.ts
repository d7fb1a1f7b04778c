import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { isFree, saysNoRoom, SelkiesHost } from '../src/viewer/host/selkies';
import { NoFirst, NoRoom } from '../src/viewer/SecondScreen';
import { displayOf, hasFirst, openSecondScreen, showsFirst } from '../src/viewer/secondWindow';
import { render } from './render';
import { session } from './sample';

describe('a second screen', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has a window of its own at the address of the first, and only one', () => {
    const focus = vi.fn();
    const open = vi.fn(() => ({ focus }) as unknown as Window);
    const here = { location: { pathname: '/node/n1/8/', search: '?a' }, open };
    const size = { innerWidth: 1280, innerHeight: 800 };
    expect(openSecondScreen('ml-a-1', { ...here, ...size })).toBe(true);
    const [address, name, features] = open.mock.calls[0] as unknown as string[];
    expect(address).toBe('/node/n1/8/?a#second-screen');
    expect(displayOf('#second-screen')).toBe('display2');
    expect(displayOf('')).toBe('primary');
    expect(name).toBe('moonlight-second-ml-a-1');
    expect(features).toBe('popup,width=1280,height=800');
    expect(focus).toHaveBeenCalled();
  });

  it('is not there where the browser blocks its window', () => {
    const here = { location: { pathname: '/', search: '' }, innerWidth: 1, innerHeight: 1 };
    expect(openSecondScreen('ml-a-1', { ...here, open: () => null })).toBe(false);
  });

  it('needs the first', () => {
    const first = { closed: false } as Window;
    expect(hasFirst({ opener: first })).toBeUndefined(); // loaded anew
    showsFirst(true, first);
    expect(hasFirst({ opener: first })).toBe(true);
    showsFirst(false, first); // another window has the picture
    expect(hasFirst({ opener: first })).toBe(false);
    expect(hasFirst({ opener: { closed: true, moonlightShows: true } })).toBe(false);
    expect(hasFirst({ opener: null })).toBe(false);
    const elsewhere = {
      closed: false,
      get moonlightShows(): boolean {
        throw new Error('of another origin');
      },
    };
    expect(hasFirst({ opener: elsewhere })).toBe(false);
    expect(render(createElement(NoFirst), 'en')).toMatch(/no longer shown.*Use it here/);
    expect(render(createElement(NoFirst), 'ko')).toMatch(/표시되지 않습니다.*여기에서 사용/);
  });

  it('is told that there is no room for it', () => {
    const said =
      'Connection Terminated: The X server cannot extend the desktop to fit this display.';
    expect(saysNoRoom(said)).toBe(true);
    expect(saysNoRoom('Error: A second display is not available on this server.')).toBe(true);
    expect(saysNoRoom('Waiting for stream')).toBe(false);
    const html = render(createElement(NoRoom, { onAgain: () => undefined }), 'en');
    expect(html).toMatch(/no room for a second screen.*Try again/);
  });

  it('is the right of the first, follows its window, and leaves the sound to the first', () => {
    vi.stubGlobal('window', { location: { origin: 'https://x' } });
    const fixed = { ...session().request, follow_window: false, resolution: '1600x900' };
    const one = session({ status: 'running', host: 'selkies', audio: true, request: fixed });
    expect(new SelkiesHost(one).page).toBe('core.html');
    expect(new SelkiesHost(one).getState().size).toBe('1600x900');
    const host = new SelkiesHost(one, 'display2');
    expect(host.page).toBe('core.html#display2-right');
    expect(host.getState().size).toBe('window');
  });

  it('is free when nobody shows that very screen', async () => {
    const answer = (...displays: string[]) =>
      vi.stubGlobal('fetch', () =>
        Promise.resolve(Response.json({ sessions: displays.map((display) => ({ display })) })),
      );
    answer('display2');
    expect(await isFree('/x/', 'primary')).toBe(true);
    expect(await isFree('/x/', 'display2')).toBe(false);
    answer('primary');
    expect(await isFree('/x/', 'primary')).toBe(false);
    answer();
    expect(await isFree('/x/', 'display2')).toBe(true);
  });
});
