import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { endReason } from '../src/i18n/wording';
import { becameIdle, idleEndsOf, idleRule } from '../src/idle/idle';
import { IdleWarning } from '../src/idle/IdleWarning';
import { render } from './render';
import { session } from './sample';

const ENDS = '2026-11-28T10:05:00Z';
const running = session({ status: 'running', idle_minutes: 30, idle_ends_at: null });
const idle = { ...running, idle_ends_at: ENDS };

describe('a desktop that nobody uses', () => {
  it('is told of once, when it becomes so', () => {
    const used = idleEndsOf([running]);
    expect(becameIdle(used, [idle])).toEqual([idle]);
    expect(becameIdle(idleEndsOf([idle]), [idle])).toEqual([]);
    expect(becameIdle(used, [running])).toEqual([]);
    expect(becameIdle(used, [{ ...idle, status: 'stopping' }])).toEqual([]);
    expect(becameIdle(new Map(), [idle]), 'the page was opened just now').toEqual([]);
  });

  it('counts down, and can be kept', () => {
    const at = Date.parse('2026-11-28T10:01:30Z');
    const shown = render(createElement(IdleWarning, { session: idle, now: at }));
    expect(shown).toContain(en.idle.ends('3 min 30 s'));
    expect(shown).toContain('role="alert"');
    expect(shown).toMatch(/<button[^>]*data-testid="keep"[^>]*>Keep it/);
    const inKorean = render(createElement(IdleWarning, { session: idle, now: at }), 'ko');
    expect(inKorean).toContain(ko.idle.keep);
    expect(render(createElement(IdleWarning, { session: running, now: at }))).toBe('');
  });

  it('has its rule on the card, where the site has one', () => {
    expect(idleRule(en, running)).toBe('Ends after 30 min without use.');
    expect(idleRule(en, { ...running, idle_minutes: null })).toBe('');
    expect(idleRule(en, session({ status: 'running' })), 'an older server').toBe('');
  });

  it('ends with a reason that says what was seen', () => {
    const reason_params = { minutes: '30', watching: '0', untouched: '41', used: 'CPU 2 %' };
    const ended = session({ status: 'timeout', reason_code: 'Idle', reason: 'x', reason_params });
    for (const seen of ['30분', '41분', '0개', 'CPU 2 %']) {
      expect(endReason(ko, ended)).toContain(seen);
    }
  });
});
