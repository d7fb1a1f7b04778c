import { describe, expect, it } from 'vitest';

import type { Image } from '../src/api/types';
import { chooseImage } from '../src/launch/chooseImage';
import {
  check,
  firstWhere,
  isAskedFor,
  requestOf,
  sizeOfWindow,
  sizesWithin,
  startingValues,
  valuesOf,
} from '../src/launch/form';
import { messagesFromServer, messagesOf } from '../src/launch/messages';
import { sizeWords } from '../src/launch/summary';
import { en } from '../src/i18n/languages/en';
import { limits, request, site } from './sample';

const values = valuesOf(request);

describe('the launch form', () => {
  it('accepts the defaults and makes the request of them', () => {
    expect(check(values, limits)).toEqual({});
    expect(requestOf('desktop', values)).toEqual(request);
  });

  it('accepts the limits themselves and a decimal comma', () => {
    const edge = { ...values, hours: '0,1', gpus: '0', width: '2560', height: '1600' };
    expect(check(edge, limits)).toEqual({});
    expect(requestOf('desktop', edge)).toMatchObject({ hours: 0.1, resolution: '2560x1600' });
  });

  it('complains about each wrong field by its kind', () => {
    const wrong = { ...values, hours: '99', cpus: '1.5', memory_gb: '', fps: 'fast', width: '1' };
    expect(check(wrong, limits)).toEqual({
      hours: { kind: 'outOfRange', min: 0.1, max: 8 },
      cpus: { kind: 'notWhole' },
      memory_gb: { kind: 'notNumber' },
      fps: { kind: 'notNumber' },
      width: { kind: 'outOfRange', min: 640, max: 2560 },
    });
  });

  it('shows complaints about width and height beside the screen size', () => {
    const messages = messagesOf(en, check({ ...values, width: '1', height: 'x' }, limits));
    expect(Object.keys(messages)).toEqual(['resolution']);
  });

  it("places the server's messages, unless one has no field here", () => {
    const hours = { field: 'hours', message: 'hours is 99' };
    expect(messagesFromServer([hours])).toEqual({ hours: 'hours is 99' });
    expect(messagesFromServer([hours, { field: 'image', message: 'no such image' }])).toBeNull();
    expect(messagesFromServer([])).toBeNull();
  });

  it('lets the screen follow the window where the image and the server can', () => {
    const newer = { ...site, defaults: { ...request, follow_window: true } };
    const can = { follows_window: true };
    const follows = startingValues(null, newer, can);
    expect(requestOf('desktop', follows, undefined, '1912x1004')).toMatchObject({
      resolution: '1912x1004',
      follow_window: true,
    });
    expect(sizeWords(en, follows)).toBe('Follows the window');
    const fixed = startingValues({ follow_window: 'no', width: '1280', height: '720' }, newer, can);
    expect(requestOf('desktop', fixed, undefined, '1912x1004')).toMatchObject({
      resolution: '1280x720',
      follow_window: false,
    });
    expect(sizeWords(en, fixed)).toBe('1280×720');
    for (const cannot of [
      startingValues(null, newer, { follows_window: false }),
      startingValues(null, newer, {}),
      startingValues({ follow_window: 'yes' }, site, null),
    ]) {
      const sent = requestOf('desktop', cannot, undefined, '1912x1004');
      expect(sent).toMatchObject({ resolution: request.resolution, follow_window: undefined });
    }
  });

  it('measures the window in pixels of its display, within what the site allows', () => {
    const of = (innerWidth: number, innerHeight: number, devicePixelRatio: number): string =>
      sizeOfWindow(limits, { innerWidth, innerHeight, devicePixelRatio } as Window);
    expect(of(1281, 801, 1)).toBe('1280x800');
    expect(of(900, 500, 1.5)).toBe('1350x750');
    expect(of(390, 844, 3)).toBe('1170x1600');
    expect(of(390, 300, 1)).toBe('640x480');
  });

  it('offers only screen sizes that the site allows', () => {
    expect(sizesWithin(limits)).toContain('2560x1440');
    expect(sizesWithin(limits)).not.toContain('3840x2160');
  });
});

describe('a server that runs in a job itself', () => {
  it('begins where the site says and sends where the desktop is to run', () => {
    const inJob = { ...site, where: ['here', 'job'] as const, defaults: { ...request } };
    expect(firstWhere({ ...inJob, where: [...inJob.where] })).toBe('here');
    const asked = { ...inJob, where: [...inJob.where], defaults: { ...request, where: 'job' } };
    expect(firstWhere(asked as typeof site)).toBe('job');
    expect(requestOf('desktop', values, 'here')).toEqual({ ...request, where: 'here' });
  });

  it('is not asked for what the job has', () => {
    expect(
      ['hours', 'cpus', 'memory_gb', 'gpus', 'fps'].filter((field) =>
        isAskedFor(field as 'hours', 'here'),
      ),
    ).toEqual(['fps']);
    expect(isAskedFor('hours', 'job')).toBe(true);
  });

  it('sends nothing of it to a server that knows nothing of it', () => {
    expect(firstWhere(site)).toBeUndefined();
    expect(requestOf('desktop', values, undefined)).not.toHaveProperty('where');
  });
});

describe('remembered options', () => {
  it('are used where they are still allowed', () => {
    const remembered = { ...values, hours: '2', gpus: '8' };
    expect(startingValues(remembered, site)).toMatchObject({ hours: '2', gpus: '1' });
  });

  it('hold the bitrate and the keyboard as well', () => {
    const remembered = { bitrate_kbps: '7.5', keyboard: 'kr' };
    expect(startingValues(remembered, site)).toMatchObject(remembered);
    const refused = { bitrate_kbps: '500', keyboard: 'fr' };
    expect(startingValues(refused, site)).toMatchObject({ bitrate_kbps: '20', keyboard: 'us' });
    const odd = { ...site, defaults: { ...request, keyboard: 'xx' } };
    expect(startingValues(null, odd).keyboard).toBe('us');
  });

  it('may be missing or not what was stored once', () => {
    expect(startingValues(null, site)).toEqual(values);
    const odd = { hours: 5 } as unknown as Partial<typeof values>;
    expect(startingValues(odd, site)).toEqual(values);
  });
});

describe('the chosen image', () => {
  const image = (id: string, changes: Partial<Image> = {}): Image => ({
    id,
    name: id,
    description: '',
    icon: 'desktop',
    default: false,
    available: true,
    unavailable_reason: null,
    ...changes,
  });
  const images = [image('gone', { available: false }), image('a'), image('b', { default: true })];

  it('is the last used one if it can be used, else the default', () => {
    expect(chooseImage(images, 'a', 'b')?.id).toBe('a');
    expect(chooseImage(images, 'gone', 'a')?.id).toBe('a');
    expect(chooseImage(images, null, 'gone')?.id).toBe('b');
    expect(chooseImage([images[0]!], null, 'gone')).toBeNull();
  });
});
