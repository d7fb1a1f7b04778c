import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { noteServerDate, serverNow } from '../src/time/clock';
import { durationParts, formatMoment, formatRelative, secondsUntil } from '../src/time/format';

const now = Date.parse('2026-11-22T20:30:00Z');
const english = (seconds: number): string => en.duration(durationParts(seconds));

describe('a duration', () => {
  it('has seconds only in its last ten minutes', () => {
    expect(english(8 * 3600 + 90)).toBe('8 h 1 min');
    expect(english(601)).toBe('10 min');
    expect(english(599)).toBe('9 min 59 s');
    expect(english(60)).toBe('1 min');
  });

  it('never runs below zero', () => {
    expect(english(0)).toBe('0 s');
    expect(english(-5)).toBe('0 s');
  });

  it('is written as Korean writes it', () => {
    expect(ko.duration(durationParts(3_660))).toBe('1시간 1분');
  });
});

describe('a moment', () => {
  it('is a clock time today and has its date otherwise', () => {
    const today = new Date(now).toISOString();
    expect(formatMoment(today, 'en', now)).toMatch(/^\d\d:\d\d$/);
    expect(formatMoment('2026-11-19T20:30:00Z', 'en', now)).toContain('Nov');
  });

  it('is told relative to now in the fitting unit', () => {
    expect(formatRelative('2026-11-22T20:30:20Z', 'en', now)).toBe('now');
    expect(formatRelative('2026-11-22T20:25:00Z', 'en', now)).toBe('5 minutes ago');
    expect(formatRelative('2026-11-22T23:30:00Z', 'en', now)).toBe('in 3 hours');
    expect(formatRelative('2026-11-20T20:30:00Z', 'ko', now)).toBe('그저께');
  });

  it('is so many seconds away', () => {
    expect(secondsUntil('2026-11-22T20:31:00Z', now)).toBe(60);
  });
});

describe('the clock', () => {
  it('follows the server when this computer is wrong by much', () => {
    noteServerDate('Sun, 22 Nov 2026 20:40:00 GMT', now);
    expect(serverNow(now)).toBe(now + 600_000);
  });

  it('ignores the travel time of an answer and headers that are no date', () => {
    noteServerDate('Sun, 22 Nov 2026 20:30:02 GMT', now);
    expect(serverNow(now)).toBe(now);
    noteServerDate('soon', now);
    noteServerDate(null, now);
    expect(serverNow(now)).toBe(now);
  });
});

describe('a place in the queue', () => {
  it('has English ordinals', () => {
    expect([1, 2, 3, 4, 11, 22].map((n) => en.queue.position(n, 30))).toEqual([
      '1st of 30',
      '2nd of 30',
      '3rd of 30',
      '4th of 30',
      '11th of 30',
      '22nd of 30',
    ]);
  });
});
