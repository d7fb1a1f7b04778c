import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { WhereChoice } from '../src/launch/WhereChoice';
import { allocatedTo, requestAgain } from '../src/sessions/allocation';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { render } from './render';
import { request, session, site } from './sample';

const allocation = { node: 'n1', cpus: 4, memory_gb: 8, gpus: 1, ends_at: null };
const guest = session({ way: 'guest', door: 'jupyterlab', allocation });

describe('the choice between this job and a new one', () => {
  const choice = (changes: object, language: 'en' | 'ko' = 'en'): string =>
    render(
      createElement(WhereChoice, {
        site: { ...site, where: ['here', 'job'], here: { ...allocation, job_id: '7' }, ...changes },
        chosen: 'here',
        onChoose: () => undefined,
      }),
      language,
    );

  it('says what the job has, and that its end is not known where it is not', () => {
    expect(choice({})).toContain('n1, 4 CPUs, 8 GB, 1 GPU, time left: not known');
    expect(choice({}, 'ko')).toContain('현재 작업');
    const ends = new Date(Date.now() + 90 * 60_000).toISOString();
    const here = { ...allocation, cpus: null, job_id: '7', ends_at: ends };
    expect(choice({ here })).toMatch(/CPUs: not known.* 1 h (29|30) min left/);
  });

  it('is not there where the server runs in no job', () => {
    expect(choice({ here: null })).toBe('');
  });
});

describe("the card of a session in somebody else's job", () => {
  it('names what it shares, and with whom', () => {
    expect(allocatedTo(en, guest)).toBe(
      "The job's: n1, 4 CPUs, 8 GB, 1 GPU; shared with JupyterLab · 1920×1080 · 60 fps",
    );
    expect(allocatedTo(en, { ...guest, way: 'owning' })).not.toContain('shared');
    expect(allocatedTo(ko, guest)).toContain('JupyterLab');
  });

  it('starts again in a job of its own only if it had one', () => {
    expect(requestAgain(guest)).toEqual(request);
    expect(requestAgain(session({ way: 'job' }))).toMatchObject({ where: 'job' });
    expect(requestAgain(session())).toEqual(request);
  });
});
