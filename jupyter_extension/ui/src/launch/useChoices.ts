import { useMemo, useState } from 'react';

import type { Image, Site } from '../api/types';
import { usePortal } from '../sessions/Portal';
import { chooseImage } from './chooseImage';
import { startingValues, type FormValues } from './form';
import { applyPreset, presetOf, Presets, type AskedField, type Preset } from './presets';
import { Remembered } from './remembered';

interface Choices {
  image: Image | null;
  values: FormValues;
  presets: readonly Preset[];
  /** The name of the preset that the form began with; empty for the last choices. */
  preset: string;
  fellBack: readonly AskedField[];
  change: (changes: Partial<FormValues>) => void;
  chooseImage: (id: string) => void;
  choosePreset: (name: string) => void;
  savePreset: (name: string) => void;
  renamePreset: (name: string) => void;
  deletePreset: () => void;
  /** They were launched. */
  remember: () => void;
}

/** What the form asks for: the user's last choices, or those of a preset, and what is changed of them. */
export function useChoices(site: Site, images: readonly Image[]): Choices {
  const { user } = usePortal().settings;
  const remembered = useMemo(() => new Remembered(user), [user]);
  const store = useMemo(() => new Presets(user), [user]);

  const last = (): Image | null => chooseImage(images, remembered.lastImage(), site.defaults.image);
  const valuesFor = (chosen: Image | null): FormValues =>
    startingValues(remembered.optionsOf(chosen?.id ?? site.defaults.image), site, chosen);

  const [image, setImage] = useState(last);
  const [values, setValues] = useState(() => valuesFor(image));
  const [presets, setPresets] = useState(store.all);
  const [preset, setPreset] = useState('');
  const [fellBack, setFellBack] = useState<readonly AskedField[]>([]);

  const begin = (chosen: Image | null, from: FormValues, named = ''): void => {
    setImage(chosen);
    setValues(from);
    setPreset(named);
    setFellBack([]);
  };

  return {
    image,
    values,
    presets,
    preset,
    fellBack,
    change: (changes) => setValues((before) => ({ ...before, ...changes })),
    chooseImage: (id) => {
      const chosen = images.find((one) => one.id === id) ?? null;
      begin(chosen, valuesFor(chosen));
    },
    choosePreset: (name) => {
      const found = presets.find((one) => one.name === name);
      if (!found) {
        const chosen = last();
        begin(chosen, valuesFor(chosen));
        return;
      }
      const applied = applyPreset(found, images, site);
      begin(applied.image, applied.values, name);
      setFellBack(applied.fellBack);
    },
    savePreset: (name) => {
      const made = presetOf(name, image?.id ?? site.defaults.image, values);
      setPresets(store.keep(made));
      setPreset(made.name);
      setFellBack([]);
    },
    renamePreset: (name) => {
      setPresets(store.rename(preset, name));
      setPreset(name);
    },
    deletePreset: () => {
      setPresets(store.remove(preset));
      setPreset('');
    },
    remember: () => image && remembered.keep(image.id, values),
  };
}
