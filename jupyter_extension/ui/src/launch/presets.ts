import type { Image, Site } from '../api/types';
import { readStored, writeStored } from '../parts/storage';
import { chooseImage } from './chooseImage';
import { followsWindow, NUMBER_FIELDS, startingValues, type FormValues } from './form';

/** Choices of the form under a name. */
export interface Preset {
  name: string;
  image: string;
  values: Partial<FormValues>;
}

export const MOST_PRESETS = 20;
export const MOST_PRESET_SIGNS = 40;

const SIZES = ['width', 'height', 'follow_window'] as const;

/** What a preset asks for, in a user's words: a screen's width and height are one thing. */
export type AskedField = 'image' | (typeof NUMBER_FIELDS)[number] | 'keyboard' | 'size';

/**
 * A user's presets in this browser, as his last choices are: screen, keyboard and bitrate are those of
 * the computer in front of him, and it is nobody else's concern what he means to launch.
 */
export class Presets {
  constructor(private readonly user: string) {}

  all = (): Preset[] => {
    const stored = readStored(this.key());
    return Array.isArray(stored) ? stored.filter(isPreset).slice(0, MOST_PRESETS) : [];
  };

  keep = (preset: Preset): Preset[] =>
    this.write([...this.all().filter(({ name }) => name !== preset.name), preset]);

  /** One that has the new name already is replaced. */
  rename = (from: string, to: string): Preset[] =>
    this.write(
      this.all()
        .filter(({ name }) => name === from || name !== to)
        .map((preset) => (preset.name === from ? { ...preset, name: to } : preset)),
    );

  remove = (name: string): Preset[] => this.write(this.all().filter((one) => one.name !== name));

  private write(presets: Preset[]): Preset[] {
    const sorted = presets.sort((a, b) => a.name.localeCompare(b.name)).slice(0, MOST_PRESETS);
    writeStored(this.key(), sorted);
    return sorted;
  }

  private key = (): string => `moonlight:presets:${this.user}`;
}

function isPreset(stored: unknown): stored is Preset {
  const { name, image, values } = (stored ?? {}) as Partial<Preset>;
  const named = typeof name === 'string' && name !== '' && name.length <= MOST_PRESET_SIGNS;
  return named && typeof image === 'string' && typeof values === 'object' && values !== null;
}

export interface Applied {
  image: Image | null;
  values: FormValues;
  /** What the site no longer allows of it; what it begins with stands there instead. */
  fellBack: AskedField[];
}

export function applyPreset(
  { image: wanted, values: kept }: Preset,
  images: readonly Image[],
  site: Site,
): Applied {
  const image = chooseImage(images, wanted, site.defaults.image);
  const values = startingValues(kept, site, image);
  const other = (field: keyof FormValues): boolean =>
    values[field] !== undefined && kept[field] !== undefined && values[field] !== kept[field];
  // Where the screen follows its window the kept size says nothing.
  const sizes = followsWindow(values) ? SIZES.slice(2) : SIZES;
  const lost = ([...NUMBER_FIELDS, 'keyboard'] as const).filter(other);
  return {
    image,
    values,
    fellBack: [
      ...(image?.id === wanted ? [] : (['image'] as const)),
      ...lost,
      ...(sizes.some(other) ? (['size'] as const) : []),
    ],
  };
}

/** What of the form a preset keeps; a size that its window gives is none. */
export const presetOf = (name: string, image: string, values: FormValues): Preset => ({
  name: name.trim().slice(0, MOST_PRESET_SIGNS),
  image,
  values: followsWindow(values) ? withoutSize(values) : { ...values },
});

function withoutSize({ width: _w, height: _h, ...values }: FormValues): Partial<FormValues> {
  return values;
}
