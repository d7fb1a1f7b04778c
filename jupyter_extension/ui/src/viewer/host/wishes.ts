import type { LaunchRequest } from '../../api/types';
import { readStored, writeStored } from '../../parts/storage';

/** `best` all that the launch allows, `good` what is usual, `low` for a slow network. */
export const QUALITIES = ['best', 'good', 'low'] as const;
export type Quality = (typeof QUALITIES)[number];

const KBPS: Record<Quality, number> = { best: Infinity, good: 8_000, low: 1_500 };
const FRAME_RATES = [10, 15, 30, 60, 90, 120];

/** What this browser's user wants of any desktop. */
export interface Wishes {
  quality: Quality;
  /** Frames per second; null: as many as were asked for at the launch. */
  fps: number | null;
  /** A fixed screen is made to fit the window; else it is shown pixel by pixel. */
  fit: boolean;
  /** Every pixel of a dense display is used; else what is drawn is larger. */
  dense: boolean;
  sound: boolean;
  /** From 0 to 1. */
  volume: number;
  /** A finger moves the pointer, as on a trackpad; else it touches where it is. */
  trackpad: boolean;
}

export const usual: Wishes = {
  quality: 'good',
  fps: null,
  fit: true,
  dense: true,
  sound: true,
  volume: 1,
  trackpad: false,
};

const STORED_AS = 'moonlight:viewer';

/** What is stored may be of another version, or damaged: what is not understood is as usual. */
export function wishesFrom(stored: unknown): Wishes {
  const given = (typeof stored === 'object' ? stored : null) as Partial<Wishes> | null;
  const yes = (name: 'fit' | 'dense' | 'sound' | 'trackpad'): boolean =>
    typeof given?.[name] === 'boolean' ? given[name] : usual[name];
  const { quality, fps, volume } = given ?? {};
  return {
    quality: QUALITIES.find((known) => known === quality) ?? usual.quality,
    fps: FRAME_RATES.find((known) => known === fps) ?? null,
    volume: typeof volume === 'number' && volume >= 0 && volume <= 1 ? volume : usual.volume,
    fit: yes('fit'),
    dense: yes('dense'),
    sound: yes('sound'),
    trackpad: yes('trackpad'),
  };
}

export const readWishes = (): Wishes => wishesFrom(readStored(STORED_AS));
export const keepWishes = (wishes: Wishes): void => writeStored(STORED_AS, wishes);

type Asked = Pick<LaunchRequest, 'fps' | 'bitrate_kbps'>;

/** The rates that can be chosen: never more than the launch asked for. */
export const frameRates = ({ fps }: Asked): number[] => [
  ...FRAME_RATES.filter((rate) => rate < fps),
  fps,
];

export const rateOf = ({ fps }: Wishes, asked: Asked): number =>
  Math.min(fps ?? asked.fps, asked.fps);

/** In kbit/s, within what the launch allows. */
export const bitrateOf = (quality: Quality, { bitrate_kbps = KBPS.good }: Asked): number =>
  Math.min(KBPS[quality], bitrate_kbps);
