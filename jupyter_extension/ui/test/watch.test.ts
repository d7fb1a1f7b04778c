import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { healthOf, streamStateOf } from '../src/viewer/health';
import { ConnectionWatch } from '../src/viewer/watch';

/** A gateway that says this of its host; WebSockets open at once. */
let said: Record<string, unknown> = {};
let asked = 0;

let sockets = 0;

class OpenSocket {
  onopen: (() => void) | null = null;
  constructor() {
    sockets += 1;
    queueMicrotask(() => this.onopen?.());
  }
  close(): void {}
}

beforeEach(() => {
  said = { status: 'ok', restarts: 0, waiting: 0 };
  asked = 0;
  sockets = 0;
  vi.useFakeTimers();
  vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false }));
  vi.stubGlobal(
    'window',
    Object.assign(new EventTarget(), { location: new URL('https://portal/moonlight/') }),
  );
  vi.stubGlobal('WebSocket', OpenSocket);
  vi.stubGlobal('fetch', () => {
    asked += 1;
    const headers = { 'Content-Type': 'application/json' };
    return Promise.resolve(new Response(JSON.stringify(said), { headers }));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function watching(): Promise<ConnectionWatch> {
  const watch = new ConnectionWatch('/desktop/');
  watch.start();
  await vi.advanceTimersByTimeAsync(100);
  expect(watch.getState()).toMatchObject({ phase: 'good', frame: 0 });
  return watch;
}

const seconds = (many: number): Promise<unknown> => vi.advanceTimersByTimeAsync(1_000 * many);

describe('the watch over a desktop', () => {
  it('looks once when it begins, and again when the portal says something new of its events', async () => {
    const watch = new ConnectionWatch('/desktop/');
    const end = watch.start();
    watch.linkIs('live');
    await vi.advanceTimersByTimeAsync(100);
    expect([asked, sockets]).toEqual([1, 1]);
    watch.linkIs('live');
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toBe(1);
    watch.linkIs('lost');
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toBe(2);
    end();
  });

  it('sees at the next look that the host was started again meanwhile', async () => {
    const watch = await watching();
    said.restarts = 1;
    await seconds(6);
    expect(watch.getState()).toMatchObject({ phase: 'restored', frame: 1 });
    await seconds(20);
    expect(watch.getState()).toMatchObject({ phase: 'good', frame: 1 });
  });

  it('does not take an older gateway, which counts nothing, for one that starts again', async () => {
    said = { status: 'ok' };
    const watch = await watching();
    await seconds(20);
    expect(watch.getState()).toMatchObject({ phase: 'good', frame: 0 });
  });

  it('looks at once when the stream ends, says what it is, and loads the picture once', async () => {
    const watch = await watching();
    watch.hear('starting');
    watch.hear('open');
    await seconds(10);
    const before = asked;
    said = { status: 'starting', restarts: 0 };
    watch.hear('closed');
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toBe(before + 1);
    expect(watch.getState()).toMatchObject({ phase: 'interrupted', cause: 'host', frame: 0 });
    said = { status: 'ok', restarts: 1 };
    await vi.advanceTimersByTimeAsync(700);
    expect(watch.getState()).toMatchObject({ phase: 'restored', frame: 1 });
    await seconds(20);
    expect(watch.getState()).toMatchObject({ phase: 'good', frame: 1 });
    // And the end of one that was short, right after it, is not held against it.
    watch.hear('open');
    watch.hear('closed');
    await seconds(2);
    expect(watch.getState()).toMatchObject({ frame: 2 });
  });

  it('brings back a stream that ended alone, but not one that ends each time', async () => {
    const watch = await watching();
    watch.hear('open');
    await seconds(1);
    watch.hear('closed');
    await seconds(2);
    expect(watch.getState()).toMatchObject({ frame: 1 });
    watch.hear('open');
    await seconds(1);
    watch.hear('closed');
    await seconds(20);
    expect(watch.getState()).toMatchObject({ phase: 'good', frame: 1 });
    watch.hear('open');
    await seconds(20);
    watch.hear('closed');
    await seconds(2);
    expect(watch.getState()).toMatchObject({ frame: 2 });
  });

  it('leaves a page alone that brings its stream back by itself', async () => {
    const watch = await watching();
    watch.hear('disturbed');
    await seconds(20);
    expect(watch.getState()).toMatchObject({ phase: 'good', frame: 0 });
  });

  it('sees soon that it was the host, where the node is slow to notice that itself', async () => {
    const watch = await watching();
    watch.hear('disturbed');
    await seconds(1.6);
    said.restarts = 1;
    await seconds(0.6);
    expect(watch.getState()).toMatchObject({ phase: 'restored', frame: 1 });
  });

  it('tells who waits, and not who has his picture, that another window starts', async () => {
    const watch = await watching();
    said.waiting = 1;
    await seconds(6);
    expect(watch.getState().waits).toBe(false);
    watch.hear('starting');
    await seconds(1);
    expect(watch.getState()).toMatchObject({ phase: 'good', waits: true });
    watch.hear('open');
    expect(watch.getState().waits).toBe(false);
  });
});

describe('what is said of a stream', () => {
  it('is read out of what it may be', () => {
    expect(healthOf(null)).toEqual({ away: false, pausing: false, restarts: null, waiting: 0 });
    expect(streamStateOf({ type: 'moonlight:stream', state: 'open' })).toBe('open');
    for (const other of [null, 'open', { state: 'open' }, { type: 'moonlight:stream', state: 1 }]) {
      expect(streamStateOf(other)).toBeNull();
    }
  });
});
