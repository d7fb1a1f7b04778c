import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiClient } from '../src/api/client';
import type { ClipboardWays } from '../src/api/types';
import { ClipboardDialog } from '../src/clipboard/ClipboardDialog';
import { answerText, isUsable, limitOf, received, waysOf } from '../src/clipboard/clipboard';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { render } from './render';
import { session } from './sample';

const id = session().session_id;

describe('the ways of the clipboard', () => {
  it('are those that the site allows', () => {
    expect(waysOf({ clipboard: 'both' })).toEqual({ toDesktop: true, fromDesktop: true });
    expect(waysOf({ clipboard: 'to_desktop' })).toEqual({ toDesktop: true, fromDesktop: false });
    expect(waysOf({ clipboard: 'from_desktop' })).toEqual({ toDesktop: false, fromDesktop: true });
  });

  it('are none where the server says so, nothing, or something new', () => {
    const strange = 'files_too' as ClipboardWays;
    for (const clipboard of ['off', undefined, strange] as const) {
      expect(isUsable(waysOf({ clipboard }))).toBe(false);
    }
    expect(isUsable(waysOf({ clipboard: 'to_desktop' }))).toBe(true);
  });

  it('that are missing are said', () => {
    expect(limitOf(en, waysOf({ clipboard: 'both' }))).toBe('');
    expect(limitOf(en, waysOf({ clipboard: 'to_desktop' }))).toBe(en.clipboard.onlyToDesktop);
    expect(limitOf(ko, waysOf({ clipboard: 'from_desktop' }))).toBe(ko.clipboard.onlyFromDesktop);
  });
});

describe('what came from the desktop', () => {
  it('has the line ends of a text area', () => {
    expect(received({ text: 'a\r\nb\rc\n\n', truncated: false })).toBe('a\nb\nc\n\n');
  });

  it('is told by what it is', () => {
    expect(answerText(en, { text: 'a', truncated: false })).toBe(en.clipboard.got);
    expect(answerText(en, { text: 'a', truncated: true })).toBe(en.clipboard.gotPart);
    expect(answerText(ko, { text: '', truncated: false })).toBe(ko.clipboard.gotNothing);
  });
});

describe('the dialog', () => {
  const shown = (clipboard: ClipboardWays, language: 'en' | 'ko' = 'en'): string =>
    render(
      createElement(ClipboardDialog, {
        session: session({ status: 'running', clipboard }),
        onClose: () => undefined,
      }),
      language,
    );

  it('has a button for each way that is allowed', () => {
    const both = shown('both');
    expect(both).toContain(en.clipboard.get);
    expect(both).toContain(en.clipboard.send);
    expect(both).not.toContain(en.clipboard.onlyToDesktop);
    expect(both).not.toContain(en.clipboard.onlyFromDesktop);
  });

  it('only sends where nothing may be taken out', () => {
    const sends = shown('to_desktop');
    expect(sends).toContain(en.clipboard.send);
    expect(sends).not.toContain(en.clipboard.get);
    expect(sends).toContain(en.clipboard.onlyToDesktop);
  });

  it('only gets where nothing may be sent, and its text is there to be read', () => {
    const gets = shown('from_desktop', 'ko');
    expect(gets).toContain(ko.clipboard.get);
    expect(gets).not.toContain(ko.clipboard.send);
    expect(gets).toContain(ko.clipboard.onlyFromDesktop);
    expect(gets).toMatch(/<textarea[^>]* readOnly=""/i);
  });
});

describe('the calls', () => {
  afterEach(() => vi.unstubAllGlobals());

  function clientWith(status: number, answer: unknown) {
    const fetch = vi.fn((_url: string, _call: RequestInit) =>
      Promise.resolve(
        new Response(JSON.stringify(answer), {
          status,
          headers: { 'Content-Type': 'application/json' },
        }),
      ),
    );
    vi.stubGlobal('fetch', fetch);
    vi.stubGlobal('document', { cookie: '_xsrf=token' });
    return { client: new ApiClient('/user/alice/'), fetch };
  }
  const address = `/user/alice/api/moonlight/sessions/${id}/clipboard`;

  it('get the text', async () => {
    const answer = { text: '가나다', truncated: false };
    const { client, fetch } = clientWith(200, answer);
    await expect(client.clipboard(id)).resolves.toEqual(answer);
    expect(fetch).toHaveBeenCalledWith(address, expect.objectContaining({ method: 'GET' }));
  });

  it('put the text, as it is, with the XSRF token', async () => {
    const { client, fetch } = clientWith(200, { length: 4 });
    await client.setClipboard(id, ' a\n"');
    const call = fetch.mock.calls[0]![1];
    expect(fetch.mock.calls[0]![0]).toBe(address);
    expect(call).toMatchObject({ method: 'PUT', headers: { 'X-XSRFToken': 'token' } });
    expect(JSON.parse(call.body as string)).toEqual({ text: ' a\n"' });
  });

  it('fail with what the server says', async () => {
    const fields = [{ field: 'text', message: 'text is too long.' }];
    const error = { message: 'text is too long.', error: { code: 'invalid_request', fields } };
    const { client } = clientWith(400, error);
    await expect(client.setClipboard(id, 'x')).rejects.toMatchObject({
      kind: 'refused',
      code: 'invalid_request',
      message: 'text is too long.',
    });
  });
});
