import { describe, expect, it, vi } from 'vitest';

import { xsrfToken } from '../src/api/client';
import { ApiError, errorFromAnswer, retryAfterMs } from '../src/api/errors';
import { Launcher } from '../src/api/launch';
import { newRequestKey } from '../src/api/requestKey';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { problemText, retrying } from '../src/i18n/wording';
import { request, seen, session } from './sample';

const refused = new ApiError('refused', 503, 'scheduler_unavailable', 'Slurm is away.');
const broken = new ApiError('network', 0, '', 'Failed to fetch');
const badGateway = errorFromAnswer(seen(502), null);
const failed = errorFromAnswer(seen(500), {
  message: 'Something failed in the portal itself; its log says what.',
  error: { code: 'internal_error' },
});

function launcherWith(...answers: (ApiError | 'ok')[]) {
  const keys: string[] = [];
  const waits: number[] = [];
  let count = 0;
  const send = vi.fn((_request: unknown, key: string) => {
    keys.push(key);
    const answer = answers.shift() ?? 'ok';
    return answer === 'ok' ? Promise.resolve(session()) : Promise.reject(answer);
  });
  const launcher = new Launcher(send, () => `key-${++count}`);
  const hooks = {
    wait: (ms: number) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
  return { launcher, hooks, keys, waits };
}

describe('a launch', () => {
  it('is repeated with the same key while nobody knows whether it arrived', async () => {
    const { launcher, hooks, keys, waits } = launcherWith(broken, badGateway, 'ok');
    await expect(launcher.launch(request, hooks)).resolves.toMatchObject({ status: 'pending' });
    expect(keys).toEqual(['key-1', 'key-1', 'key-1']);
    expect(waits[1]).toBeGreaterThan(waits[0]!);
  });

  it.each([
    ['with words', failed],
    ['without a word', errorFromAnswer(seen(500), null)],
  ])('keeps its key when the server itself fails %s: it may have launched', async (_, error) => {
    const { launcher, hooks, keys } = launcherWith(error, 'ok');
    await expect(launcher.launch(request, hooks)).resolves.toMatchObject({ status: 'pending' });
    expect(keys).toEqual(['key-1', 'key-1']);

    const given = launcherWith(...Array<ApiError>(6).fill(error));
    await expect(given.launcher.launch(request, given.hooks)).rejects.toBe(error);
    await given.launcher.launch(request, given.hooks);
    expect(new Set(given.keys)).toEqual(new Set(['key-1']));
  });

  it.each([
    ['unsafe_directory', 500],
    ['records_unwritable', 507],
  ])('is not repeated when the server said %s: nothing was submitted', async (code, status) => {
    const answer = errorFromAnswer(seen(status), { message: 'No.', error: { code } });
    const { launcher, hooks, keys } = launcherWith(answer);
    await expect(launcher.launch(request, hooks)).rejects.toBe(answer);
    await launcher.launch(request, hooks);
    expect(keys).toEqual(['key-1', 'key-2']);
  });

  it('is not repeated when the server said that the batch system is away', async () => {
    const { launcher, hooks, keys } = launcherWith(refused);
    await expect(launcher.launch(request, hooks)).rejects.toBe(refused);
    expect(keys).toHaveLength(1);
  });

  it('waits as long as a server wants that was asked too often, and keeps its key', async () => {
    const body = { message: 'Too often.', error: { code: 'too_many_requests' } };
    const putOff = errorFromAnswer(seen(429), body, retryAfterMs('6'));
    const { launcher, hooks, keys, waits } = launcherWith(broken, putOff, 'ok');
    await expect(launcher.launch(request, hooks)).resolves.toMatchObject({ status: 'pending' });
    // The first one may have arrived.
    expect(keys).toEqual(['key-1', 'key-1', 'key-1']);
    expect(waits[1]).toBe(6_000);
    expect(retrying(en, { attempt: 1, why: putOff })).toContain('6 s');
    expect(retrying(ko, { attempt: 1, why: putOff })).toContain('6초');
    expect(retrying(en, { attempt: 2, why: broken })).toBe(en.launch.retrying(2));
    expect(problemText(ko, putOff)).toMatch(/잠시 후 다시/);
    expect(problemText(en, putOff)).toBe('Too often.');
  });

  it('takes of Retry-After a number of seconds, and not hours', () => {
    expect(['0', '2', '99999'].map(retryAfterMs)).toEqual([0, 2_000, 60_000]);
    for (const odd of [null, '', '-1', '1.5', 'Fri, 31 Dec 2027 23:59:59 GMT']) {
      expect(retryAfterMs(odd)).toBe(0);
    }
  });

  it('keeps its key for "Try again" after it gave up', async () => {
    const { launcher, hooks, keys } = launcherWith(...Array<ApiError>(6).fill(broken));
    await expect(launcher.launch(request, hooks)).rejects.toBe(broken);
    await launcher.launch(request, hooks);
    expect(new Set(keys)).toEqual(new Set(['key-1']));
  });

  it('gets a new key after a definite answer and for another request', async () => {
    const { launcher, hooks, keys } = launcherWith(
      'ok',
      refused,
      ...Array<ApiError>(6).fill(broken),
    );
    await launcher.launch(request, hooks);
    await launcher.launch(request, hooks).catch(() => undefined);
    await launcher.launch(request, hooks).catch(() => undefined);
    await launcher.launch({ ...request, hours: 1 }, hooks);
    expect([...new Set(keys)]).toEqual(['key-1', 'key-2', 'key-3', 'key-4']);
  });
});

describe('an error answer', () => {
  it('tells a proxy from the server itself', () => {
    expect(errorFromAnswer(seen(503), null).kind).toBe('gateway');
    expect(errorFromAnswer(seen(503), { error: { code: 'scheduler_unavailable' } }).kind).toBe(
      'refused',
    );
    expect(errorFromAnswer(seen(500), null).kind).toBe('bad_answer');
  });

  it('tells an expired login from what this site does not allow', () => {
    expect(errorFromAnswer(seen(401), null).kind).toBe('expired');
    expect(errorFromAnswer(seen(403), { message: 'Forbidden' }).kind).toBe('expired');
    expect(errorFromAnswer(seen(403), { error: { code: 'forbidden' } }).kind).toBe('expired');
    expect(errorFromAnswer(seen(403), { error: { code: 'clipboard_off' } }).kind).toBe('refused');
  });

  it('keeps the fields that are wrong', () => {
    const fields = [{ field: 'hours', message: 'hours is 99' }];
    const body = { message: 'no', error: { code: 'invalid_request', fields } };
    expect(errorFromAnswer(seen(400), body)).toMatchObject({ code: 'invalid_request', fields });
  });
});

describe('a request key', () => {
  it('is a random UUID without crypto.randomUUID', () => {
    // Node.js 18, which may run these tests, has no global `crypto`.
    const source = {
      getRandomValues: (bytes: Uint8Array) => bytes.map(() => Math.random() * 256),
    } as Pick<Crypto, 'getRandomValues'>;
    const key = newRequestKey(source);
    expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(newRequestKey(source)).not.toBe(key);
  });
});

describe('the XSRF token', () => {
  it('is the first cookie of its name', () => {
    expect(xsrfToken('a=1; _xsrf=2|ab|cd; _xsrf=hub')).toBe('2|ab|cd');
    expect(xsrfToken('a=1')).toBe('');
  });
});
