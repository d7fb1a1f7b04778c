import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import type { Allowance, Budget } from '../src/api/types';
import type { Language } from '../src/i18n/languages';
import { askedFor, costOf, type Asked } from '../src/launch/cost';
import { CostWords } from '../src/launch/CostLine';
import { valuesOf } from '../src/launch/form';
import { render } from './render';
import { request } from './sample';

const asked: Asked = { gpus: 1, cpus: 4, hours: 2 };
const limit = (changes: Partial<Allowance>): Allowance => ({
  ...{ kind: 'gpu', of: 'account', name: 'lab', limit: 20, left: 19 },
  ...changes,
});
const budget = (changes: Partial<Budget>): Budget => ({
  ...{ state: 'known', message: null, hours: [], at_once: [], each: [] },
  ...changes,
});
const said = (of: Budget | null, what: Asked = asked, language?: Language): string =>
  render(createElement(CostWords, { budget: of, asked: what }), language).replace(/<[^>]*>/g, '');

describe('what a launch costs', () => {
  it('is its GPUs times its hours, of the CPUs where it has no GPU', () => {
    expect(said(budget({}))).toBe('Asks for up to 2 GPU-hours.');
    expect(said(budget({}), { ...asked, gpus: 0 })).toBe('Asks for up to 8 CPU-hours.');
    expect(said(budget({}), { ...asked, hours: 1 })).toBe('Asks for up to 1 GPU-hour.');
    expect(said(null)).toBe('Asks for up to 2 GPU-hours.'); // and what is left is not known yet
    expect(askedFor(valuesOf(request))).toEqual({ gpus: 1, cpus: 4, hours: 8 });
    expect(askedFor({ ...valuesOf(request), hours: 'x' })).toBeNull();
  });

  it('stands beside what is left of the limit that is reached first, in both languages', () => {
    const hours = [
      limit({ kind: 'cpu', of: 'qos', name: 'moonlight', limit: 9000, left: 8000 }),
      limit({}),
      limit({ limit: 500, left: 400, of: 'user', name: '' }),
    ];
    expect(said(budget({ hours }))).toBe(
      'Asks for up to 2 GPU-hours. Left: 19 of 20 GPU-hours (limit of account lab).',
    );
    expect(said(budget({ hours }), asked, 'ko')).toBe(
      '최대 2 GPU시간을 요청합니다. 남은 양: 20 GPU시간 중 19 (계정 lab의 한도).',
    );
    // Whoever asks for no GPU is not concerned by what is left of them.
    expect(said(budget({ hours }), { ...asked, gpus: 0 })).toContain('9,000 CPU-hours');
  });

  it('is said to be too much where it is', () => {
    const over = budget({
      hours: [limit({ left: 1.5 })],
      each: [limit({ of: 'qos', name: 'moonlight', limit: 1, left: 1 })],
      at_once: [limit({ of: 'user', name: '', limit: 2, left: 0 }), limit({ kind: 'jobs' })],
    });
    expect(costOf(over, asked).map(({ kind }) => kind)).toEqual(['left', 'each', 'atOnce']);
    expect(said(over)).toContain('That is more than is left: 1.5 of 20 GPU-hours');
    expect(said(over)).toContain(
      'more than one job may ask for: 1 GPU-hour (limit of QoS moonlight)',
    );
    expect(said(over)).toContain('Of 2 GPUs at the same time, free: 0 (your own limit).');
  });

  it('knows a measure of the site alone only by what is left', () => {
    const billed = [limit({ kind: 'billing', limit: 100, left: 40 })];
    expect(costOf(budget({ hours: billed }), asked)).toEqual([
      { kind: 'left', allowance: billed[0], tooMuch: false },
    ]);
  });

  it('is honest where Slurm says nothing, and silent where nobody counts', () => {
    expect(said(budget({ state: 'unknown' }))).toContain('is not known');
    expect(costOf(budget({ state: 'none' }), asked)).toEqual([]);
  });
});
