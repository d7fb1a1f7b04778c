import { createElement } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { becameReady, isLongWait, statusesOf } from '../src/ready/becameReady';
import { ConsentStore } from '../src/ready/consent';
import { notify } from '../src/ready/notify';
import { homeLook, readyLook } from '../src/viewer/windowTitle';
import { TellMe } from '../src/ready/TellMe';
import { SeenElsewhere } from '../src/ready/seen';
import { consentStore } from '../src/ready/useConsent';
import { render } from './render';
import { session } from './sample';

const pending = session({ session_id: 'ml-a-1', created_at: '2026-11-28T09:00:00Z' });
const at = (time: string): number => Date.parse(`2026-11-28T${time}Z`);
const queued = (position: number | null, estimated_start: string | null = null) => ({
  code: 'Resources',
  message: '',
  position,
  pending: 9,
  estimated_start,
});

describe('a desktop became ready', () => {
  it.each([
    ['pending', 'running', true],
    ['starting', 'running', true],
    ['running', 'running', false],
    ['pending', 'starting', false],
    ['pending', 'failed', false],
    ['stopping', 'running', false],
  ] as const)('from %s to %s: %s', (was, status, ready) => {
    const before = statusesOf([{ ...pending, status: was }]);
    expect(becameReady(before, [{ ...pending, status }])).toHaveLength(ready ? 1 : 0);
  });

  it('but not one that ran already when the page was opened', () => {
    expect(becameReady(new Map(), [{ ...pending, status: 'running' }])).toEqual([]);
  });
});

describe('a wait is long', () => {
  it.each([
    ['09:00:29', null, false],
    ['09:00:30', null, true],
    ['09:00:01', '2026-11-28T09:00:40Z', false],
    ['09:00:01', '2026-11-28T09:01:01Z', true],
  ])('at %s with an estimate of %s: %s', (time, estimate, long) => {
    const waits = { ...pending, queue: queued(2, estimate) };
    expect(isLongWait(waits, at(time))).toBe(long);
    expect(isLongWait({ ...waits, status: 'starting' }, at(time))).toBe(false);
  });
});

describe('the title', () => {
  it('of the list has the place of the desktop that comes first', () => {
    const other = session({ session_id: 'ml-a-2', queue: queued(2) });
    const last = session({ session_id: 'ml-a-3', queue: queued(null) });
    const first = { ...pending, queue: queued(1) };
    expect(homeLook(en, [], []).title).toBe('Moonlight desktops');
    expect(homeLook(en, [last, other, first], []).title).toBe(
      '⏳ 1st in queue · Moonlight desktops',
    );
    const starting = { ...other, status: 'starting' } as const;
    expect(homeLook(en, [first, starting], []).title).toBe('⏳ Starting · Moonlight desktops');
  });

  it('says what became ready', () => {
    const ready = [session({ status: 'running' })];
    expect(homeLook(en, [pending, ...ready], ready).title).toBe('(ready) XFCE desktop');
    expect(readyLook(en, ready).title).toBe('(ready) XFCE desktop');
  });
});

/** What a browser gives: its permission, and what its user answers. */
function browser(permission: string, answer = permission, secure = true) {
  const shown: [string, unknown][] = [];
  class Shown {
    static permission = permission;
    static requestPermission = vi.fn(async () => (Shown.permission = answer));
    onclick: (() => void) | null = null;
    close = vi.fn();
    constructor(title: string, options?: unknown) {
      if (Shown.permission === 'granted') {
        shown.push([title, options]);
      }
    }
  }
  vi.stubGlobal('Notification', Shown);
  vi.stubGlobal('window', { isSecureContext: secure, focus: vi.fn() });
  return { Shown, shown };
}

describe('the browser may tell', () => {
  beforeEach(() => {
    const kept = new Map<string, string>();
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it('once it was asked, by a button, and its user said yes', async () => {
    const { Shown } = browser('default', 'granted');
    const store = new ConsentStore();
    expect(store.getState()).toBe('ask');
    expect(Shown.requestPermission).not.toHaveBeenCalled();
    const heard = vi.fn();
    store.subscribe(heard);
    await store.ask();
    expect(store.getState()).toBe('yes');
    expect(heard).toHaveBeenCalled();
  });

  it.each(['denied', 'default'])('never after the question was answered %s', async (answer) => {
    browser('default', answer);
    await new ConsentStore().ask();
    expect(new ConsentStore().getState()).toBe('no');
  });

  it('never after "No, thanks"', () => {
    browser('default');
    const store = new ConsentStore();
    store.decline();
    expect(store.getState()).toBe('no');
    expect(new ConsentStore().getState()).toBe('no');
  });

  it('without a question where all is decided, or where there are none', () => {
    browser('granted');
    expect(new ConsentStore().getState()).toBe('yes');
    browser('denied');
    expect(new ConsentStore().getState()).toBe('no');
    browser('default', 'granted', false);
    expect(new ConsentStore().getState()).toBe('absent');
    vi.stubGlobal('Notification', undefined);
    expect(new ConsentStore().getState()).toBe('absent');
    vi.stubGlobal('window', { isSecureContext: true });
    const forWorkers = () => {
      throw new TypeError('Illegal constructor.');
    };
    vi.stubGlobal('Notification', Object.assign(forWorkers, { permission: 'default' }));
    expect(new ConsentStore().getState()).toBe('absent');
    expect(() =>
      notify({ title: '', body: '', tag: '', icon: '', onClick: vi.fn() }),
    ).not.toThrow();
  });

  it('once for all tabs, and leads there', () => {
    const { shown } = browser('granted');
    const onClick = vi.fn();
    notify({ title: 'It is ready', body: 'On n1', tag: 'ml-a-1', icon: 'data:', onClick });
    expect(shown).toEqual([['It is ready', { body: 'On n1', tag: 'ml-a-1', icon: 'data:' }]]);
    expect(onClick).not.toHaveBeenCalled();
  });
});

describe('the offer', () => {
  afterEach(() => vi.restoreAllMocks());
  const shows = (
    consent: 'absent' | 'ask' | 'yes' | 'no',
    time: string,
    status = pending.status,
  ) => {
    vi.spyOn(consentStore(), 'getState').mockReturnValue(consent);
    const waits = { ...pending, status };
    return render(createElement(TellMe, { session: waits, now: at(time) }));
  };

  it('is made once the wait is long, and only where nobody was asked', () => {
    expect(shows('ask', '09:05:00')).toContain('Tell me');
    expect(shows('ask', '09:00:05')).toBe('');
    expect(shows('ask', '09:05:00', 'running')).toBe('');
    expect(shows('no', '09:05:00')).toBe('');
    expect(shows('absent', '09:05:00')).toBe('');
  });

  it('is a promise where it was taken', () => {
    expect(shows('yes', '09:00:05')).toContain('tells you when it is ready');
  });
});

it('a tab is told by another one what its user has seen there', async () => {
  const [looked, hidden] = [new SeenElsewhere(), new SeenElsewhere()];
  looked.tell('ml-a-1');
  await vi.waitFor(() => expect(hidden.has('ml-a-1')).toBe(true));
  expect(hidden.has('ml-a-2') || looked.has('ml-a-1')).toBe(false);
  looked.close();
  hidden.close();
});
