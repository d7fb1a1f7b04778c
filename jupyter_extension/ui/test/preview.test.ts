import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiClient } from '../src/api/client';
import { ko } from '../src/i18n/languages/ko';
import { requestOf, startingValues } from '../src/launch/form';
import { launched } from '../src/launch/kept';
import { LocalChoices, optionsOf } from '../src/launch/local';
import { Preview } from '../src/preview/Preview';
import { stateOf } from '../src/preview/picture';
import { render } from './render';
import { request, session, site } from './sample';

const running = (picture?: string) => session({ status: 'running', picture });

describe('the picture on a card', () => {
  it('is there where the server says so, of a desktop that runs', () => {
    expect(stateOf(running('shown'))).toBe('shown');
    expect(stateOf(running('hidden'))).toBe('hidden');
    for (const picture of ['off', undefined, 'something new']) {
      expect(stateOf(running(picture))).toBe('off');
      expect(render(createElement(Preview, { session: running(picture) }))).toBe('');
    }
    expect(stateOf(session({ status: 'stopping', picture: 'shown' }))).toBe('off');
  });

  it('has its place before it comes, and says that it is hidden', () => {
    const coming = render(createElement(Preview, { session: running('shown') }));
    const hidden = render(createElement(Preview, { session: running('hidden') }), 'ko');
    for (const html of [coming, hidden]) {
      expect(html).toContain('preview-screen');
      expect(html).not.toContain('<img');
    }
    expect(hidden).toContain(ko.preview.hidden);
    expect(hidden).toContain(ko.preview.show);
  });
});

describe('an answer', () => {
  const client = new ApiClient('/');
  const answers = (status: number, type: string, body: BodyInit | null = 'x') => {
    const fetched = vi.fn(async () => {
      const headers = { 'Content-Type': type, ETag: '"a"' };
      return new Response(body, { status, headers });
    });
    vi.stubGlobal('fetch', fetched);
    vi.stubGlobal('document', { cookie: '_xsrf=proof' });
    return fetched;
  };
  afterEach(() => vi.unstubAllGlobals());

  it('is a picture with its tag, and is asked for as no sign of life', async () => {
    const fetched = answers(200, 'image/jpeg');
    const picture = await client.picture('ml-a');
    expect([await picture?.blob.text(), picture?.etag]).toEqual(['x', '"a"']);
    const [url, init] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect(url).toBe('/api/moonlight/sessions/ml-a/picture?no_track_activity=1');
    expect(init).toMatchObject({ cache: 'no-store', headers: { 'X-XSRFToken': 'proof' } });
  });

  it('may be that it is still the known one', async () => {
    const fetched = answers(304, 'text/html', null);
    expect(await client.picture('ml-a', '"a"')).toBe(null);
    const [, init] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect(init.headers).toMatchObject({ 'If-None-Match': '"a"' });
  });

  it('that is no picture is none, whatever its status', async () => {
    answers(409, 'application/json', '{"message": "", "error": {"code": "picture_hidden"}}');
    await expect(client.picture('ml-a')).rejects.toMatchObject({ code: 'picture_hidden' });
    answers(200, 'text/html', '<p>log in</p>');
    await expect(client.picture('ml-a')).rejects.toMatchObject({ kind: 'bad_answer' });
  });
});

describe('who wants none', () => {
  const newer = { ...site, defaults: { ...request, picture: true } };
  afterEach(() => vi.unstubAllGlobals());

  it('is asked where the server knows pictures', () => {
    expect(startingValues(null, site).picture).toBe(undefined);
    expect(startingValues({ picture: 'no' }, site).picture).toBe(undefined);
    expect(startingValues(null, newer).picture).toBe('yes');
    const values = startingValues({ picture: 'no' }, newer);
    expect(requestOf('desktop', values).picture).toBe(false);
    expect(requestOf('desktop', startingValues({ picture: 'x' }, newer)).picture).toBe(true);
  });

  it('has said so of every image', () => {
    const kept = new Map<string, string>();
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    });
    const local = new LocalChoices('alice');
    expect(optionsOf(local.read(), 'gnome')).toBe(null);
    local.change(launched('desktop', { ...startingValues(null, newer), picture: 'no' }));
    expect(optionsOf(local.read(), 'gnome')).toEqual({ picture: 'no' });
    expect(optionsOf(new LocalChoices('bob').read(), 'gnome')).toBe(null);
  });
});
