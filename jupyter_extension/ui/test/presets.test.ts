import { createElement } from 'react';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { Image, Preset, Site } from '../src/api/types';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { startingValues, valuesOf } from '../src/launch/form';
import { ImageCards } from '../src/launch/ImageCards';
import { LaunchForm } from '../src/launch/LaunchForm';
import { OptionFields } from '../src/launch/OptionFields';
import { PresetBar } from '../src/launch/PresetBar';
import {
  MOST_PRESETS,
  NOTHING,
  renamed,
  without,
  withPreset,
  type Change,
} from '../src/launch/kept';
import { LocalChoices } from '../src/launch/local';
import { applyPreset, presetOf } from '../src/launch/presets';
import { WhereChoice } from '../src/launch/WhereChoice';
import { render } from './render';
import { limits, request, site } from './sample';

const image = (id: string, changes: Partial<Image> = {}): Image => ({
  ...{ id, name: id, description: `All of ${id}.`, icon: 'desktop', default: false },
  ...{ available: true, unavailable_reason: null, follows_window: false, ...changes },
});
const images = [image('desktop', { default: true, follows_window: true }), image('gnome')];
const newer: Site = { ...site, defaults: { ...request, follow_window: true }, names: true };

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => kept.set(key, text),
  });
});

describe('presets', () => {
  const values = { ...valuesOf(request), hours: '2', gpus: '2' };

  it('are kept, replaced, renamed and removed, for one user', () => {
    const store = new LocalChoices('alice');
    const after = (change: Change): string[] =>
      store.change(change).presets.map(({ name }) => name);
    after(withPreset(presetOf(' Long ', 'desktop', values)));
    expect(after(withPreset(presetOf('Big', 'gnome', values)))).toEqual(['Big', 'Long']);
    after(withPreset(presetOf('Big', 'desktop', values)));
    expect(store.read().presets.find(({ name }) => name === 'Big')?.image).toBe('desktop');
    expect(after(renamed('Big', '큰 것'))).toEqual(['Long', '큰 것']);
    expect(after(renamed('Gone', 'Long'))).toEqual(['Long', '큰 것']);
    expect(after(renamed('큰 것', 'Long'))).toEqual(['Long']);
    expect(new LocalChoices('bob').read().presets).toEqual([]);
    expect(after(without('Long'))).toEqual([]);
  });

  it('are not more than there is room for, and what else lies there is none', () => {
    const store = new LocalChoices('alice');
    for (let i = 0; i < MOST_PRESETS + 3; i++) {
      store.change(withPreset(presetOf(`p${i}`, 'desktop', values)));
    }
    expect(store.read().presets).toHaveLength(MOST_PRESETS);
    const odd = ['{', '7', '{}', '[]', '{"presets": [null, 7, {"name": 1}, {"name": "x"}]}'];
    for (const one of [...odd, '{"image": 7, "picture": [], "values": [1], "presets": {}}']) {
      localStorage.setItem('moonlight:choices:alice', one);
      expect(store.read()).toEqual(NOTHING);
    }
  });

  it('give what they were made of', () => {
    const applied = applyPreset(presetOf('Long', 'gnome', values), images, newer);
    expect(applied.image?.id).toBe('gnome');
    expect(applied.values).toMatchObject({ hours: '2', gpus: '2', width: '1920' });
    expect(applied.fellBack).toEqual([]);
  });

  it('fall back field by field where the site no longer allows it, and say so', () => {
    const asked = { ...values, hours: '99', keyboard: 'xx', width: '9999', cpus: '16' };
    const kept = presetOf('Long', 'gone', { ...asked, follow_window: 'no' });
    const { image: taken, values: left, fellBack } = applyPreset(kept, images, newer);
    expect(taken?.id).toBe('desktop');
    expect(left).toMatchObject({ hours: '8', keyboard: 'us', width: '1920', cpus: '16' });
    expect(fellBack).toEqual(['image', 'hours', 'keyboard', 'size']);
    expect(en.choices.fellBack(fellBack)).toContain('desktop, hours, keyboard, screen size.');
    expect(ko.choices.fellBack(fellBack)).toContain('데스크톱, 시간, 키보드, 화면 크기.');
  });

  it('say nothing of a size that their window gives, whatever it was', () => {
    const follows = startingValues(null, newer, images[0]);
    const kept = presetOf('Mine', 'desktop', { ...follows, width: '9999' });
    expect(kept.values).not.toHaveProperty('width');
    expect(applyPreset(kept, images, newer).fellBack).toEqual([]);
    const fixed = applyPreset({ ...kept, image: 'gnome' }, images, newer);
    expect(fixed.fellBack).toEqual([]); // an image whose screen follows none has a size of its own
  });

  it('are offered only where there are some', () => {
    const bar = (presets: Preset[]): string =>
      render(createElement(PresetBar, { presets, chosen: '', onChoose: () => undefined }));
    expect(bar([])).toBe('');
    expect(bar([presetOf('Long', 'desktop', values)])).toMatch(/My last choices.*Long/);
  });
});

describe('what offers no choice', () => {
  const none = { ...limits, gpus: { min: 0, max: 0 } };

  it('is not asked', () => {
    const from = { ...site, limits: none, keyboards: ['us'] };
    const fields = render(
      createElement(OptionFields, {
        values: startingValues(null, from),
        limits: none,
        keyboards: ['us'],
        messages: {},
        onChange: () => undefined,
      }),
    );
    expect(fields).not.toMatch(/field-gpus|field-keyboard/);
    expect(fields).toContain('field-cpus');
  });

  it('is said where it is worth to know', () => {
    const here = { ...{ node: 'n1', cpus: 4, memory_gb: 8, gpus: 1, ends_at: null }, job_id: '7' };
    const only = { site: { ...site, where: ['here' as const], here }, onChoose: () => undefined };
    const html = render(createElement(WhereChoice, { ...only, chosen: 'here' }));
    expect(html).toContain('n1, 4 CPUs');
    expect(html).not.toContain('<input');
  });

  it('among images is no question', () => {
    const cards = (...some: Image[]): string =>
      render(
        createElement(ImageCards, { images: some, chosen: 'desktop', onChoose: () => undefined }),
      );
    expect(cards(images[0]!)).toContain('<legend class="visually-hidden">');
    expect(cards(...images)).toContain('<legend>');
    expect(cards(...images)).not.toContain('image-many');
    expect(cards(...images, image('a'), image('b'))).toContain('image-many');
  });
});

describe('the launch form', () => {
  const form = (of: Site): string =>
    render(createElement(LaunchForm, { site: of, images })).replace(/\n/g, '');

  it('asks for a name where the server knows names', () => {
    expect(form(newer)).toContain('Name (optional)');
    expect(form(site)).not.toContain('Name (optional)');
  });
});
