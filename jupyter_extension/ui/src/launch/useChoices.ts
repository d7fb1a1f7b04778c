import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import type { Image, Preset, Site } from '../api/types';
import { usePortal } from '../sessions/Portal';
import { chooseImage } from './chooseImage';
import { startingValues, type FormValues } from './form';
import { Keeper, type Found, type Told } from './keeper';
import { launched, renamed, without, withPreset, type Change } from './kept';
import { LocalChoices, optionsOf } from './local';
import { applyPreset, presetOf, type AskedField } from './presets';

interface Choices {
  image: Image | null;
  values: FormValues;
  presets: readonly Preset[];
  /** The name of the preset that the form began with; empty for the last choices. */
  preset: string;
  fellBack: readonly AskedField[];
  /** What is to be known of how they are kept. */
  told: Told | null;
  /** They are kept in this browser alone. */
  here: boolean;
  change: (changes: Partial<FormValues>) => void;
  chooseImage: (id: string) => void;
  choosePreset: (name: string) => void;
  savePreset: (name: string) => void;
  renamePreset: (name: string) => void;
  deletePreset: () => void;
  /** They were launched. */
  remember: () => void;
}

/**
 * What the form asks for: the user's last choices, or those of a preset, and what is changed of them. The
 * browser's are shown at once; the server's when they come, as far as nobody has begun to choose.
 */
export function useChoices(site: Site, images: readonly Image[]): Choices {
  const { client, settings } = usePortal();
  const local = useMemo(() => new LocalChoices(settings.user), [settings.user]);
  const keeper = useMemo(() => new Keeper(client, local), [client, local]);
  const touched = useRef(false);

  const [kept, setKept] = useState(local.read);
  const last = (of = kept): Image | null => chooseImage(images, of.image, site.defaults.image);
  const valuesFor = (chosen: Image | null, of = kept): FormValues =>
    startingValues(optionsOf(of, chosen?.id ?? site.defaults.image), site, chosen);

  const [image, setImage] = useState(last);
  const [values, setValues] = useState(() => valuesFor(image));
  const [preset, setPreset] = useState('');
  const [fellBack, setFellBack] = useState<readonly AskedField[]>([]);
  const [how, setHow] = useState<Pick<Found, 'told' | 'here'>>({ told: null, here: false });

  const begin = (chosen: Image | null, from: FormValues, named = ''): void => {
    setImage(chosen);
    setValues(from);
    setPreset(named);
    setFellBack([]);
  };

  const take = ({ choices, told, here }: Found): void => {
    setHow({ told, here });
    if (choices) {
      setKept(choices);
      if (!touched.current) {
        const chosen = last(choices);
        begin(chosen, valuesFor(chosen, choices));
      }
    }
  };
  // Of the form as it is when the answer comes.
  const taking = useRef(take);
  useEffect(() => {
    taking.current = take;
  });
  const gone = useRef(false);
  const follow = useCallback((asked: Promise<Found>): void => {
    void asked.then((found) => gone.current || taking.current(found));
  }, []);
  useEffect(() => {
    gone.current = false;
    follow(keeper.load());
    return () => {
      gone.current = true;
    };
  }, [keeper, follow]);

  const keep = (change: Change): void => {
    touched.current = true;
    setKept(local.change(change));
    follow(keeper.change(change));
  };
  const touch = (): void => {
    touched.current = true;
  };

  return {
    image,
    values,
    presets: kept.presets,
    preset: kept.presets.some(({ name }) => name === preset) ? preset : '',
    fellBack,
    ...how,
    change: (changes) => {
      touch();
      setValues((before) => ({ ...before, ...changes }));
    },
    chooseImage: (id) => {
      touch();
      const chosen = images.find((one) => one.id === id) ?? null;
      begin(chosen, valuesFor(chosen));
    },
    choosePreset: (name) => {
      touch();
      const found = kept.presets.find((one) => one.name === name);
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
      keep(withPreset(made));
      setPreset(made.name);
      setFellBack([]);
    },
    renamePreset: (name) => {
      keep(renamed(preset, name));
      setPreset(name);
    },
    deletePreset: () => {
      keep(without(preset));
      setPreset('');
    },
    remember: () => image && keep(launched(image.id, values)),
  };
}
