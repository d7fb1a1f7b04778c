import { describe, expect, it } from 'vitest';

import { chooseLanguage, LANGUAGES } from '../src/i18n/languages';
import { en } from '../src/i18n/languages/en';

/** Words by where they stand, `launch.title`: all that every language has to say. */
function leaves(words: object, path = ''): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(words)) {
    const here = path ? `${path}.${key}` : key;
    if (here === 'reasons') {
      continue; // English has none: they are the server's own sentences.
    }
    if (typeof value === 'object' && value !== null) {
      leaves(value, here).forEach((inner, place) => found.set(place, inner));
    } else {
      found.set(here, value);
    }
  }
  return found;
}

/** Which of its parameters a sentence shows, told by giving it signs that no language has. */
function shown(sentence: (...given: unknown[]) => string): string[] {
  const marks = ['⟦0⟧', '⟦1⟧', '⟦2⟧', '⟦3⟧', '⟦4⟧', '⟦5⟧'];
  try {
    return marks.filter((mark) => sentence(...marks).includes(mark));
  } catch {
    return ['parts']; // a duration, which is given as an object
  }
}

const others = [...LANGUAGES].filter(([tag]) => tag !== 'en');

describe('every language', () => {
  it('is a file of its own and has a name', () => {
    expect([...LANGUAGES.keys()]).toEqual(['en', 'ko']);
    expect(LANGUAGES.get('ko')!.name).toBe('한국어');
  });

  it.each(others)('%s says all that English says, with the same parameters', (_tag, { words }) => {
    const english = leaves(en);
    const theirs = leaves(words);
    expect([...theirs.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [place, value] of english) {
      const other = theirs.get(place);
      expect(typeof other, place).toBe(typeof value);
      if (typeof value === 'function') {
        // Plurals and ordinals are a language's own: the parameter is what must not be lost.
        expect(shown(other as () => string), place).toEqual(shown(value as () => string));
      }
    }
  });

  it('is the stored one, else the first known one of the browser', () => {
    expect(chooseLanguage('ko', ['en-US'])).toBe('ko');
    expect(chooseLanguage(null, ['fr', 'ko-KR', 'en'])).toBe('ko');
    expect(chooseLanguage('tlh', ['fr'])).toBe('en');
  });
});
