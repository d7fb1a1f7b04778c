import { createElement } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { readSettings } from '../src/config';
import { doorOf } from '../src/door';
import { InvitationRow } from '../src/sharing/InvitationRow';
import { keep, kept } from '../src/sharing/joined';
import { SharedMark } from '../src/sharing/SharedMark';
import { linkOf, type Invitation } from '../src/sharing/sharing';
import { render } from './render';
import { session } from './sample';

const made = {
  id: '1f',
  name: 'Bob',
  role: 'view' as const,
  until: '2026-11-29T03:00:00+00:00',
  joined_at: null,
  here: false,
  token: 'once',
};

const mark = (guests: number) =>
  createElement(SharedMark, {
    session: session({ status: 'running', guests }),
    onPress: () => undefined,
  });

describe('a link', () => {
  it('carries its token where no server is sent it', () => {
    const link = linkOf('https://portal/node/n1/4711/', made);
    expect(link).toBe(`https://portal/node/n1/4711/join?${made.id}#once`);
    expect(new URL(link).pathname + new URL(link).search).not.toContain('once');
  });
});

describe('that a desktop is shared', () => {
  const said = (text: string) => ({ getElementById: () => ({ textContent: text }) }) as never;

  it('is offered where the server of the page says so, and nowhere else', () => {
    const at = 'https://portal/node/n1/4711/';
    const settings = (text: string) => readSettings(said(text), at);
    expect(doorOf(settings('{"user": "alice"}')).shares).toBe(false);
    expect(settings('{"only": "ml-a-1"}').sharing).toBeNull();
    expect(settings('{"only": "ml-a-1", "sharing": "view"}').sharing).toBe('view');
  });

  it('is in sight while somebody is there, whatever is folded', () => {
    expect(render(mark(2), 'en', { sharing: 'view' })).toContain('Shared with 2');
    expect(render(mark(2), 'ko', { sharing: 'view' })).toContain('2명과 공유 중');
    expect(render(mark(0), 'en', { sharing: 'view' })).not.toContain('shared-mark');
    expect(render(mark(2), 'en', { sharing: null })).not.toContain('shared-mark');
  });
});

describe('what a tab has kept of a desktop that was joined', () => {
  afterEach(() => vi.unstubAllGlobals());
  const stored = (text: string) => vi.stubGlobal('sessionStorage', { getItem: () => text });
  const joined = { ticket: 'Mnwx-_0', role: 'view' as const, until: made.until };

  it('is that, or nothing', () => {
    stored(JSON.stringify(joined));
    expect(kept()).toEqual(joined);
    for (const text of [
      '',
      '{',
      '5',
      '[]',
      '"x"',
      'true',
      'null',
      '{"__proto__": {"role": "view"}}',
    ]) {
      stored(text);
      expect(kept()).toBeNull();
    }
    for (const other of [
      { ticket: 1 },
      { ticket: 'a b' },
      { ticket: '' },
      { role: 'toString' },
      { until: 'tomorrow' },
      { until: {} },
    ]) {
      stored(JSON.stringify({ ...joined, ...other }));
      expect(kept()).toBeNull();
    }
  });

  it('is nothing where nothing can be kept, and the desktop is shown', () => {
    const full = (): never => {
      throw new Error('full');
    };
    vi.stubGlobal('sessionStorage', { getItem: full, setItem: full, removeItem: full });
    keep(joined);
    keep(null);
    expect(kept()).toBeNull();
  });
});

describe('an invitation', () => {
  const row = (changes: Partial<Invitation>, gives: boolean, language: 'en' | 'ko' = 'en') =>
    render(
      createElement(InvitationRow, {
        invitation: { ...made, ...changes },
        gives,
        onRole: () => undefined,
        onEnd: () => undefined,
      }),
      language,
    );

  it('says who, what he may and whether he is there', () => {
    expect(row({}, true)).toContain('has not come yet · look on · until');
    expect(row({ joined_at: made.until, here: true, role: 'control' }, true)).toContain(
      'is here · look on and control',
    );
    expect(row({ joined_at: made.until }, true)).toContain('was here');
    expect(row({ name: '' }, true)).toContain('whoever has the link');
    expect(row({ here: true }, true, 'ko')).toContain('보고 있음 · 보기');
  });

  it('gives and takes control where the site lets it', () => {
    expect(row({}, true)).toContain('Give control: Bob');
    expect(row({ role: 'control' }, true)).toContain('Take control back: Bob');
    expect(row({}, false)).not.toContain('Give control');
    expect(row({}, false)).toContain('End: Bob');
  });
});
