import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { endReason, queueReason, stepLabel } from '../src/i18n/wording';
import { homeUrl, routeOf, viewerUrl } from '../src/routes';
import { QueueFacts } from '../src/sessions/QueueFacts';
import { sessionLook } from '../src/viewer/windowTitle';
import { render } from './render';
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

  it("prefers the server's sentence in English and the code in Korean", () => {
    expect(queueReason(en, queued)).toBe('Waiting for a free GPU on partition viz.');
    expect(queueReason(ko, queued)).toMatch(/기다리고/);
  });

  it.each([
    [{ position: 3, pending: 7 }, /3rd of 7/, /7개 중 3번째/],
    [{ position: 3, pending: null }, /3rd in the queue/, /3번째/],
    [{ position: 32769, pending: null, at_least: true }, /32769th or later/, /32769번째 이후/],
  ])('names the place in the queue as far as it is known: %o', (place, english, korean) => {
    const waits = session({ queue: { ...queued.queue!, ...place } });
    const facts = createElement(QueueFacts, { session: waits, now: 0 });
    expect(render(facts, 'en')).toMatch(english);
    expect(render(facts, 'ko')).toMatch(korean);
  });

  it('speaks of no QoS where a site has none', () => {
    expect(en.launch.queueName('viz', 'moonlight')).toBe('Partition viz, QoS moonlight');
    expect(en.launch.queueName('viz', '')).toBe('Partition viz');
    expect(ko.launch.queueName('viz', '')).not.toContain('QoS');
  });

  it("falls back to the server's sentence for codes it does not know", () => {
    const failed = session({ status: 'failed', reason: 'Disk full.', reason_code: 'Unheard' });
    expect(endReason(ko, failed)).toBe('Disk full.');
    const step = { id: 'x', label: 'Warm up', state: 'done', detail: '' } as const;
    expect(stepLabel(ko, { ...step, started_at: null, ended_at: null })).toBe('Warm up');
  });

  it('tells the state in its title', () => {
    expect(sessionLook(en, queued).title).toBe('⏳ 3rd in queue');
    expect(sessionLook(en, session({ status: 'running' })).title).toBe('▶ XFCE desktop');
    expect(sessionLook(en, session({ status: 'timeout' })).title).toMatch(/^■ ended/);
  });
});
