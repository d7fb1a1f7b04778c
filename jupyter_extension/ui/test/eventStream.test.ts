import { afterEach, describe, expect, it, vi } from 'vitest';

import { eventParser, readEvents } from '../src/api/eventStream';

type Event = [string, string];

const parsed = (...parts: string[]): Event[] => {
  const events: Event[] = [];
  parts.forEach(eventParser((name, data) => events.push([name, data])));
  return events;
};

describe('the event stream', () => {
  it('has events with names and data, and comments between', () => {
    const text = 'retry: 2000\n\nevent: sessions\ndata: {"a": 1}\n\n: still here\n\ndata:x\n\n';
    expect(parsed(text)).toEqual([
      ['sessions', '{"a": 1}'],
      ['message', 'x'],
    ]);
  });

  it('may come in any parts and with any ends of lines', () => {
    const text = 'event: session\r\ndata: one\r\ndata: two\r\n\r\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(parsed(text.slice(0, cut), text.slice(cut))).toEqual([['session', 'one\ntwo']]);
    }
  });

  it('tells no event that has not ended', () => {
    expect(parsed('event: session\ndata: half')).toEqual([]);
  });
});

describe('listening', () => {
  const answer = (body: string, init: ResponseInit = {}): void => {
    const headers = { 'Content-Type': 'text/event-stream' };
    vi.stubGlobal('fetch', vi.fn().mockResolvedValue(new Response(body, { headers, ...init })));
  };
  const listen = (headers = {}): Promise<Event[]> =>
    new Promise((resolve) => {
      const events: Event[] = [];
      readEvents(
        '/events',
        headers,
        (name, data) => events.push([name, data]),
        () => resolve(events),
      );
    });

  afterEach(() => vi.unstubAllGlobals());

  it('sends the proof that a Hub asks for and says when the stream ended', async () => {
    answer('event: removed\ndata: x\n\n');
    expect(await listen({ 'X-XSRFToken': 'token' })).toEqual([['removed', 'x']]);
    const [, { headers }] = vi.mocked(fetch).mock.calls[0] as [string, { headers: object }];
    expect(headers).toMatchObject({ 'X-XSRFToken': 'token', Accept: 'text/event-stream' });
  });

  it('says when the server wants to be asked again', async () => {
    answer('', { status: 429, headers: { 'Retry-After': '3' } });
    const broken = await new Promise((resolve) => readEvents('/events', {}, vi.fn(), resolve));
    expect(broken).toBe(3_000);
  });

  it.each([
    ['a refusal', { status: 403 }],
    ['a login page', { headers: { 'Content-Type': 'text/html' } }],
  ])('takes %s for no stream', async (_, init) => {
    answer('event: sessions\ndata: {}\n\n', init);
    expect(await listen()).toEqual([]);
  });

  it('is silent once it was told to stop', async () => {
    answer('data: x\n\n');
    const broken = vi.fn();
    readEvents('/events', {}, () => undefined, broken)();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(broken).not.toHaveBeenCalled();
  });
});
