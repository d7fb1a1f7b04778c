import type { Image, Preset, Site } from '../api/types';
import { chooseImage } from './chooseImage';
import { followsWindow, NUMBER_FIELDS, startingValues, type FormValues } from './form';
import { cleanName, textsOf } from './kept';

const SIZES = ['width', 'height', 'follow_window'] as const;

/** What a preset asks for, in a user's words: a screen's width and height are one thing. */
export type AskedField = 'image' | (typeof NUMBER_FIELDS)[number] | 'keyboard' | 'size';

export interface Applied {
  image: Image | null;
  values: FormValues;
  /** What the site no longer allows of it; what it begins with stands there instead. */
  fellBack: AskedField[];
}

export function applyPreset(
  { image: wanted, values: texts }: Preset,
  images: readonly Image[],
  site: Site,
): Applied {
  const kept: Partial<FormValues> = texts;
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
  name: cleanName(name),
  image,
  values: textsOf(followsWindow(values) ? withoutSize(values) : values),
});

function withoutSize({ width: _w, height: _h, ...values }: FormValues): Partial<FormValues> {
  return values;
}
