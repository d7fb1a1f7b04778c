import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { requestAgain } from '../src/sessions/allocation';
import { calledOf, whichOf } from '../src/sessions/called';
import { EndedList } from '../src/sessions/EndedList';
import { SessionCard } from '../src/sessions/SessionCard';
import { sessionLook } from '../src/viewer/windowTitle';
import { render } from './render';
import { session } from './sample';

const now = Date.parse('2026-11-22T21:00:00Z');
const card = (changes: object, language: 'en' | 'ko' = 'en'): string =>
  render(createElement(SessionCard, { session: session(changes), now }), language);
const words = (html: string): string => html.replace(/<[^>]*>/g, '');

describe("a desktop's name", () => {
  it('stands where its image stood, and that beside it', () => {
    const html = card({ name: '유동 <3>' });
    expect(html).toContain('>유동 &lt;3&gt;</h3>');
    expect(html).toContain('XFCE desktop · ');
    expect(sessionLook(en, session({ status: 'running', name: 'Crash' })).title).toBe('▶ Crash');
  });

  it('is not there, nor to be given, where the server knows none', () => {
    expect(calledOf(session())).toBe('XFCE desktop');
    expect(card({})).not.toContain('data-testid="rename"');
    expect(card({ name: '' })).toMatch(/data-testid="rename".*XFCE desktop, job 1234/s);
  });

  it('is that of the same desktop started again', () => {
    expect(requestAgain(session({ name: 'Crash' }))).toMatchObject({ name: 'Crash' });
    expect(requestAgain(session({ name: '' }))).not.toHaveProperty('name');
  });
});

describe('the buttons of a card', () => {
  it('say which desktop is theirs, the visible word first', () => {
    const html = words(card({ status: 'running', name: 'Crash' }));
    for (const word of ['Connect', 'Stop', 'Log']) {
      expect(html).toContain(`${word} Crash, job 1234`);
    }
    expect(words(card({ status: 'failed' }, 'ko'))).toContain('삭제 XFCE desktop, 작업 1234');
  });

  it('tell desktops of one name without jobs by their ids', () => {
    const one = session({ slurm_job_id: null });
    expect(whichOf(en, one)).toBe(' XFCE desktop, session zj5a');
    expect(whichOf(ko, { ...one, name: '가' })).toBe(' 가, 세션 zj5a');
  });
});

describe('what has ended', () => {
  const many = (n: number): string => {
    const sessions = Array.from({ length: n }, (_, i) =>
      session({ session_id: `ml-alice-aaaaaaaaa${i}`, status: 'completed', ended_at: null }),
    );
    return render(createElement(EndedList, { sessions, now }));
  };

  it('is shown in part, and how much more there is', () => {
    expect(many(5).match(/data-testid="session-card"/g)).toHaveLength(3);
    expect(words(many(5))).toContain('Show 2 more');
    expect(many(5)).toContain('aria-expanded="false"');
  });

  it('is shown whole where it is little', () => {
    expect(many(3).match(/data-testid="session-card"/g)).toHaveLength(3);
    expect(many(3)).not.toContain('show-more');
  });
});
