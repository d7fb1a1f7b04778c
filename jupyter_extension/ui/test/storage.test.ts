import { afterEach, describe, expect, it, vi } from 'vitest';

import { readStored, readText } from '../src/parts/storage';

afterEach(() => vi.unstubAllGlobals());

const stored = (text: string | null): void => {
  vi.stubGlobal('localStorage', { getItem: () => text });
};

describe('what a browser has stored', () => {
  it.each([null, '', '{', '7', 'true', '{"a":1}', '["a"]', 'null'])('is no text: %s', (text) => {
    stored(text);
    expect(readText('moonlight:files')).toBeNull();
  });

  it('is text, or else whatever it is', () => {
    stored('"~/inbox"');
    expect(readText('moonlight:files')).toBe('~/inbox');
    stored('{"a":1}');
    expect(readStored('moonlight:files')).toEqual({ a: 1 });
  });
});
