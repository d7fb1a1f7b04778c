import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { imageIn, sessionIn } from '../src/i18n/naming';
import { endReason, queueReason, sentence, stepDetail, stepLabel } from '../src/i18n/wording';
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

const image = {
  id: 'desktop',
  name: 'Name',
  description: 'Text',
  icon: 'desktop',
  default: true,
  available: true,
  unavailable_reason: null,
};

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

  it("words the server's sentences by their codes", () => {
    const note = { code: 'Silent', params: { why: 'no card' }, message: 'It is silent: no card.' };
    expect(sentence(en, note)).toBe(note.message);
    expect(sentence(ko, note)).toMatch(/소리가 나지 않습니다: no card/);
    const half = { code: 'Silent', params: {}, message: 'It is silent.' };
    expect(sentence(ko, half)).toBe('It is silent.');
    const quoted = { code: 'HostFailed', params: {}, message: 'selkies ended at once: {why}' };
    expect(sentence(ko, quoted)).toMatch(/[가-힣].*selkies ended at once: \{why\}$/);
    const step = {
      id: 'claim',
      label: 'x',
      state: 'done',
      started_at: null,
      ended_at: null,
    } as const;
    const detail = { detail: 'display :7, …', detail_code: 'Claimed' };
    const claimed = { ...step, ...detail, detail_params: { number: '7', ports: '40000' } };
    expect(stepDetail(ko, claimed)).toBe('디스플레이 :7, 포트 40000부터');
    expect(stepDetail(ko, { ...step, detail: 'XFCE' })).toBe('XFCE');
  });

  it('has the names of images in its language', () => {
    const named = session({ image_names: { ko: 'XFCE 데스크톱' } });
    expect(sessionIn('ko', named).image_name).toBe('XFCE 데스크톱');
    expect(sessionIn('ko', named)).toBe(sessionIn('ko', named));
    expect(sessionIn('en', named)).toBe(named);
    const shown = imageIn('ko', { ...image, names: { ko: '이름' }, descriptions: {} });
    expect([shown.name, shown.description]).toEqual(['이름', image.description]);
  });

  it('tells the state in its title', () => {
    expect(sessionLook(en, queued).title).toBe('⏳ 3rd in queue');
    expect(sessionLook(en, session({ status: 'running' })).title).toBe('▶ XFCE desktop');
    expect(sessionLook(en, session({ status: 'timeout' })).title).toMatch(/^■ ended/);
  });
});
