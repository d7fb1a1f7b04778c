import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import type { Session } from '../src/api/types';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { endReason } from '../src/i18n/wording';
import { Stale } from '../src/sessions/SessionFacts';
import { render } from './render';
import { session } from './sample';

const NOW = Date.parse('2026-11-22T21:00:00Z');
const SILENT = 'Node n1 has reported nothing for 95 s.';
const AWAY = "Slurm's controller does not answer.";
const ELSEWHERE = 'It was started on machine m2, which cannot be asked from here.';

function hint(language: 'en' | 'ko', changes: Partial<Session>): string {
  const stale = session({ stale_since: '2026-11-22T20:58:25Z', node: 'n1', ...changes });
  const html = render(createElement(Stale, { session: stale, now: NOW }), language);
  expect(html).not.toContain('title=');
  return html.replace(/<[^>]*>/g, '').replaceAll('&#x27;', "'");
}

describe('a state that is not known', () => {
  it.each([undefined, null, 'NodeSilent'])(
    'is not the batch system’s fault when the node is silent (%s)',
    (code) => {
      const silent = { stale_reason: SILENT, stale_code: code };
      expect(hint('en', silent)).toMatch(
        /^Node n1 has reported nothing since .*last known state\.$/,
      );
      expect(hint('en', silent)).not.toMatch(/batch system|95 s/);
      expect(hint('ko', silent)).toContain('노드 n1');
      expect(hint('ko', silent)).not.toContain('배치 시스템');
    },
  );

  it.each([undefined, null, 'SchedulerAway'])('says what the batch system said (%s)', (code) => {
    const away = { stale_reason: AWAY, stale_code: code };
    expect(hint('en', away)).toMatch(
      /^The batch system has not answered since .*last known state\./,
    );
    expect(hint('en', away)).toContain(AWAY);
    expect(hint('ko', away)).toContain('배치 시스템');
    expect(hint('ko', away)).toContain(AWAY);
  });

  it('says where the session was started', () => {
    const elsewhere = { stale_reason: ELSEWHERE, stale_code: 'StartedElsewhere' };
    expect(hint('en', elsewhere)).toBe(ELSEWHERE);
    expect(hint('ko', elsewhere)).toMatch(/^다른 컴퓨터나 클러스터/);
    expect(hint('ko', elsewhere)).toContain('m2');
  });

  it('does not say that the batch system is silent when it is not understood', () => {
    const why = 'Slurm says that job 7 is LEVITATING, a state that is not known here.';
    const unclear = { stale_reason: why, stale_code: 'SchedulerUnclear' };
    expect(hint('en', unclear)).toMatch(
      /has not been certain since .*last known state\. Slurm says/,
    );
    expect(hint('en', unclear)).not.toContain('answered');
    expect(hint('ko', unclear)).toContain('확실하지');
    expect(hint('ko', unclear)).toContain(why);
  });

  it('has a sentence for reasons of newer servers', () => {
    const newer = { stale_reason: 'The moon is away.', stale_code: 'MoonAway' };
    expect(hint('en', newer)).toMatch(
      /^The state has not been confirmed since .*The moon is away\.$/,
    );
    expect(hint('ko', newer)).not.toContain('배치 시스템');
  });

  it('is not spoken of when it is known', () => {
    expect(hint('en', { stale_since: null })).toBe('');
  });
});

describe('the end of a session in Korean', () => {
  it.each(['NoLog', 'COMPLETED', 'NothingFree'])('has a sentence for %s', (code) => {
    const ended = session({ status: 'failed', reason: 'In English.', reason_code: code });
    expect(endReason(ko, ended)).toMatch(/[가-힣].*\.$/);
    expect(endReason(en, ended)).toBe('In English.');
  });
});
