import { pixelsOf, screenOf } from '../src/viewer/host/screen';
import { request, session } from './sample';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { bitrateOf, frameRates, rateOf, usual, wishesFrom } from '../src/viewer/host/wishes';

describe('what a browser remembers of the picture', () => {
  it('is as usual where nothing, or nonsense, is stored', () => {
    expect(wishesFrom(null)).toEqual(usual);
    expect(wishesFrom('loud')).toEqual(usual);
    expect(wishesFrom({ quality: 'huge', fps: 7, volume: 9, sound: 'no', fit: 1 })).toEqual(usual);
  });

  it('is what was chosen', () => {
    const chosen = {
      quality: 'low',
      fps: 30,
      fit: false,
      dense: false,
      sound: false,
      volume: 0.25,
      trackpad: true,
    };
    expect(wishesFrom(JSON.parse(JSON.stringify(chosen)))).toEqual(chosen);
  });

  it('never asks for more than the launch did', () => {
    expect(frameRates({ fps: 60 })).toEqual([10, 15, 30, 60]);
    expect(frameRates({ fps: 25 })).toEqual([10, 15, 25]);
    expect(rateOf({ ...usual, fps: 120 }, { fps: 30 })).toBe(30);
    expect(rateOf(usual, { fps: 45 })).toBe(45);
    expect(bitrateOf('best', { fps: 60, bitrate_kbps: 50_000 })).toBe(50_000);
    expect(bitrateOf('good', { fps: 60, bitrate_kbps: 50_000 })).toBe(8_000);
    expect(bitrateOf('low', { fps: 60, bitrate_kbps: 1_000 })).toBe(1_000);
  });
});

describe('the size of the screen', () => {
  afterEach(() => vi.unstubAllGlobals());
  const of = (follow_window: boolean | undefined, stored: string | null = null) => {
    vi.stubGlobal('localStorage', { getItem: () => stored });
    return screenOf(session({ request: { ...request, follow_window } }));
  };

  it('is the one of the launch until another is chosen', () => {
    expect(of(true)).toBe('window');
    expect(of(undefined)).toBe('window');
    expect(of(false)).toBe('1920x1080');
    expect(of(true, '"1280x720"')).toBe('1280x720');
    expect(of(false, '"window"')).toBe('window');
    expect(of(false, '"large"')).toBe('1920x1080');
    expect(pixelsOf('1280x720')).toEqual({ width: 1280, height: 720 });
  });
});
