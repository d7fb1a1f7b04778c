import { describe, expect, it } from 'vitest';

import { titleOf, type Desktop } from '../../labextension/src/desktop';
import { wordsOf } from '../../labextension/src/words';

const desktop = (changes: Partial<Desktop>): Desktop => ({
  session_id: 'ml-alice-1',
  image_name: 'XFCE desktop',
  status: 'running',
  node: 'n1',
  web_url: '/moonlight/sessions/ml-alice-1/',
  created_at: '2026-11-28T09:05:00',
  ...changes,
});

describe('a desktop in JupyterLab', () => {
  const plain = desktop({});
  const named = desktop({ session_id: 'ml-alice-2', name: 'Molecules' });

  it('is called by its name, else by that of its image', () => {
    expect(titleOf(plain, [plain, named], 'en')).toBe('XFCE desktop');
    expect(titleOf(named, [plain, named], 'en')).toBe('Molecules');
  });

  it('is told from another one of the same name by where and since when it is', () => {
    const waits = desktop({ session_id: 'ml-alice-3', node: null, status: 'pending' });
    expect(titleOf(plain, [plain, waits], 'en')).toBe('XFCE desktop (n1, 09:05 AM)');
    expect(titleOf(waits, [plain, waits], 'en')).toBe('XFCE desktop (09:05 AM)');
  });

  it.each([
    ['ko_KR', 'ko'],
    ['ko-KR', 'ko'],
    ['en', 'en'],
    ['kok', 'en'],
    ['fr_FR', 'en'],
  ])('speaks the language of JupyterLab, %s, as far as there are words', (code, tag) => {
    expect(wordsOf(code).tag).toBe(tag);
  });
});
