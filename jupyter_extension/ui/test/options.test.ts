import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import type { Site } from '../src/api/types';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { check, requestOf, startingValues, valuesOf } from '../src/launch/form';
import { keyboardName } from '../src/launch/keyboards';
import { messagesFromServer, messagesOf } from '../src/launch/messages';
import { OptionFields } from '../src/launch/OptionFields';
import { summaryOf } from '../src/launch/summary';
import { render } from './render';
import { limits, olderSite, request, site } from './sample';

const values = valuesOf(request);

describe('the bitrate', () => {
  const withRate = (text: string) => ({ ...values, bitrate_kbps: text });

  it('is typed in Mbit/s and sent in whole kbit/s', () => {
    const sent = { '20': 20_000, ' 8,2 ': 8_200, '0.5': 500, '2.1234': 2_123, '100': 100_000 };
    for (const [text, bitrate_kbps] of Object.entries(sent)) {
      expect(check(withRate(text), limits)).toEqual({});
      expect(requestOf('desktop', withRate(text))).toMatchObject({ bitrate_kbps });
    }
  });

  it('is complained about in Mbit/s', () => {
    expect(check(withRate('100.1'), limits)).toEqual({
      bitrate_kbps: { kind: 'outOfRange', min: 0.5, max: 100 },
    });
    expect(check(withRate('fast'), limits)).toEqual({ bitrate_kbps: { kind: 'notNumber' } });
    expect(messagesOf(en, check(withRate('0'), limits))).toEqual({
      bitrate_kbps: 'Max. bitrate (Mbit/s): this site allows 0.5 to 100.',
    });
  });

  it('and the keyboard have their own places for what the server says', () => {
    const errors = ['bitrate_kbps', 'keyboard'].map((field) => ({ field, message: 'is wrong' }));
    expect(messagesFromServer(errors)).toEqual({ bitrate_kbps: 'is wrong', keyboard: 'is wrong' });
  });
});

describe('the option fields', () => {
  const fieldsOf = (from: Site): string[] => {
    const { limits, keyboards = [] } = from;
    const shown = createElement(OptionFields, {
      values: startingValues({ bitrate_kbps: '9', keyboard: 'kr' }, from),
      limits,
      keyboards,
      messages: {},
      onChange: () => undefined,
    });
    return [...render(shown).matchAll(/<label for="field-(\w+)"/g)].map(([, name]) => name!);
  };
  const older = ['hours', 'cpus', 'memory_gb', 'gpus', 'fps', 'resolution'];

  it('have a bitrate and a keyboard where the server knows them', () => {
    expect(fieldsOf(site)).toEqual([
      ...older.slice(0, 5),
      'bitrate_kbps',
      'resolution',
      'keyboard',
    ]);
  });

  it('have neither where it does not, and send neither', () => {
    expect(fieldsOf(olderSite())).toEqual(older);
    const halfNew = { ...olderSite(), defaults: request };
    expect(fieldsOf(halfNew)).toEqual(older);
    for (const from of [olderSite(), halfNew]) {
      const sent = JSON.stringify(requestOf('desktop', startingValues(null, from)));
      expect(sent).not.toMatch(/bitrate|keyboard/);
    }
  });
});

describe('a keyboard layout', () => {
  it('is called by its language, in the language of the page', () => {
    const english = (code: string): string => keyboardName(en, 'en', code);
    const korean = (code: string): string => keyboardName(ko, 'ko', code);
    expect(['us', 'gb', 'de', 'ch(fr)', 'be'].map(english)).toEqual([
      'English (US)',
      'English (UK)',
      'German',
      'French (Switzerland)',
      'Belgium',
    ]);
    expect(['us', 'de', 'kr', 'jp'].map(korean)).toEqual([
      '영어(미국)',
      '독일어',
      '한국어',
      '일본어',
    ]);
    expect(english('de(nodeadkeys)')).toBe('German, no dead keys');
    expect(korean('de(nodeadkeys)')).toBe('독일어, 데드 키 없음');
    expect(english('fr(oss)')).toBe('French, oss');
  });

  it('that is not known is shown as it is', () => {
    for (const code of ['xx', 'xx(yy)', 'us,kr', 'us(']) {
      expect(keyboardName(en, 'en', code)).toBe(code);
    }
  });
});

describe('the summary', () => {
  it('says all that is asked for', () => {
    expect(summaryOf(en, 'en', values)).toBe(
      '8 h · 4 CPU · 8 GB · 1 GPU · 1920×1080 · 60 fps · 20 Mbit/s · Keyboard: English (US)',
    );
    expect(summaryOf(ko, 'ko', values)).toMatch(/20 Mbps · 키보드: 영어\(미국\)$/);
    const older = valuesOf(olderSite().defaults);
    expect(summaryOf(en, 'en', older)).toMatch(/60 fps$/);
  });
});
