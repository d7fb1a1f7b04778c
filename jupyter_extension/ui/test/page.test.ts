import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/en';
import { ko } from '../src/i18n/ko';
import { chooseLanguage } from '../src/i18n/Language';
import { endReason, queueReason, stepLabel } from '../src/i18n/wording';
import { homeUrl, routeOf, viewerUrl } from '../src/routes';
import { sessionLook } from '../src/viewer/windowTitle';
import { session } from './sample';

const queued = session({
  queue: {
    code: 'Resources',
    message: 'Waiting for a free GPU on partition viz.',
    position: 3,
    pending: 7,
    estimated_start: null,
  },
});

describe('the page', () => {
  it('is chosen by the path below any base URL', () => {
    expect(routeOf('/user/alice/moonlight/')).toEqual({ page: 'home' });
    expect(routeOf(viewerUrl('/user/alice/', 'ml-a-1'))).toEqual({
      page: 'viewer',
      sessionId: 'ml-a-1',
    });
    expect(homeUrl('/')).toBe('/moonlight/');
  });

  it('speaks the stored language, else the first known one of the browser', () => {
    expect(chooseLanguage('ko', ['en-US'])).toBe('ko');
    expect(chooseLanguage(null, ['fr', 'ko-KR', 'en'])).toBe('ko');
    expect(chooseLanguage('tlh', ['fr'])).toBe('en');
  });

  it("prefers the server's sentence in English and the code in Korean", () => {
    expect(queueReason(en, 'en', queued)).toBe('Waiting for a free GPU on partition viz.');
    expect(queueReason(ko, 'ko', queued)).toMatch(/기다리고/);
  });

  it("falls back to the server's sentence for codes it does not know", () => {
    const failed = session({ status: 'failed', reason: 'Disk full.', reason_code: 'Unheard' });
    expect(endReason(ko, 'ko', failed)).toBe('Disk full.');
    const step = { id: 'x', label: 'Warm up', state: 'done', detail: '' } as const;
    expect(stepLabel(ko, 'ko', { ...step, started_at: null, ended_at: null })).toBe('Warm up');
  });

  it('tells the state in its title', () => {
    expect(sessionLook(en, queued).title).toBe('⏳ 3rd in queue');
    expect(sessionLook(en, session({ status: 'running' })).title).toBe('▶ XFCE desktop');
    expect(sessionLook(en, session({ status: 'timeout' })).title).toMatch(/^■ ended/);
  });
});
