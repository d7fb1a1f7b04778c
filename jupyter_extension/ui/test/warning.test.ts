import { describe, expect, it } from 'vitest';

import { endsSoon } from '../src/sessions/TimeLeft';
import { dueWarning } from '../src/time/warning';

const END = '2026-01-02T12:00:00Z';
const at = (secondsLeft: number, startedAt = '2026-01-02T04:00:00Z') =>
  dueWarning(END, startedAt, Date.parse(END) - secondsLeft * 1000);

describe('the warning before the end', () => {
  it('asks nobody to save work when it is over', () => {
    const soon = (left: number): boolean => endsSoon(END, Date.parse(END) - left * 1000);
    expect([601, 599, 1, 0, -5].map(soon)).toEqual([false, true, true, false, false]);
    expect(endsSoon(null, 0)).toBe(false);
  });

  it('comes at ten, five and one minute', () => {
    expect([601, 600, 301, 300, 61, 60, 1].map((left) => at(left))).toEqual([
      undefined,
      600,
      600,
      300,
      300,
      60,
      60,
    ]);
  });

  it('leaves out what is longer than the session', () => {
    const started = '2026-01-02T11:54:00Z';
    expect([359, 300, 60].map((left) => at(left, started))).toEqual([undefined, 300, 60]);
  });

  it('has nothing to say without an end, or after it', () => {
    expect(dueWarning(null, null, 0)).toBeUndefined();
    expect(at(0)).toBeUndefined();
    expect(dueWarning(END, null, Date.parse(END) - 1000)).toBe(60);
  });
});
