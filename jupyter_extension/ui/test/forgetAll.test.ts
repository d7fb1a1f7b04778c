import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { ApiError } from '../src/api/errors';
import { KeptList } from '../src/sessions/DeleteDialog';
import { forgetAll } from '../src/sessions/forgetAll';
import { render } from './render';
import { session } from './sample';

const lives = new ApiError('refused', 409, 'session_lives', 'its job is still there.');
const missing = new ApiError('refused', 404, 'not_found', 'There is none.');
const named = (id: string) => session({ session_id: id, name: id });
const all = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(named);

describe('deleting all that have ended', () => {
  it('finds out of those that are kept why, and whether they can be deleted by now', async () => {
    const gone: string[] = [];
    const asked: (string | null)[] = [];
    const forget = (id: string | null): Promise<string[]> => {
      asked.push(id);
      if (id === null) return Promise.resolve(['a', 'of before']);
      if (id === 'b') return Promise.resolve(['b']);
      return Promise.reject(id === 'c' ? missing : lives);
    };
    const kept = await forgetAll(all, forget, (ids) => gone.push(...ids));
    expect(gone).toEqual(['a', 'of before', 'b', 'c']);
    expect(asked).toEqual([null, 'b', 'c', 'd', 'e', 'f']);
    expect(kept.map(({ session: { name }, why }) => [name, why?.code])).toEqual([
      ['d', 'session_lives'],
      ['e', 'session_lives'],
      ['f', 'session_lives'],
      ['g', undefined],
    ]);
  });

  it('leaves nothing to tell where all are deleted', async () => {
    const forget = () => Promise.resolve(all.map((one) => one.session_id));
    expect(await forgetAll(all, forget, () => undefined)).toEqual([]);
  });

  it('says how many were kept, which, and why', () => {
    const kept = [
      { session: named('<Crash>'), why: lives },
      { session: named('x'), why: null },
    ];
    const html = render(createElement(KeptList, { kept }));
    expect(html).toMatch(/role="alert".*2 desktops could not be deleted.*and 1 more/s);
    expect(html).toContain('&lt;Crash&gt;, job 1234</strong>: its job is still there.');
    expect(render(createElement(KeptList, { kept }), 'ko')).toMatch(
      /2개를 삭제하지.*완전히 종료된/s,
    );
  });
});
