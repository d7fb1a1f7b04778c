import type { AskedField } from '../../../launch/presets';

const fields: Record<AskedField, string> = {
  image: 'desktop',
  hours: 'hours',
  cpus: 'CPUs',
  memory_gb: 'memory',
  gpus: 'GPUs',
  fps: 'frames per second',
  bitrate_kbps: 'bitrate',
  keyboard: 'keyboard',
  size: 'screen size',
};

/** The choices of the launch form that a user keeps. */
export const choices = {
  preset: 'Preset',
  none: 'My last choices',
  save: 'Save as preset…',
  saveTitle: 'Save these choices',
  rename: 'Rename the preset…',
  renameTitle: 'Rename this preset',
  delete: 'Delete the preset',
  name: 'Name of the preset',
  nameHint: 'It is kept for you, in every browser. The same name again replaces it.',
  nameHintHere: 'It is kept in this browser, for you. The same name again replaces it.',
  merged: 'They were changed in another window meanwhile; that change is kept, too.',
  damaged: (file: string) => `What was kept of your choices cannot be read. It lies in ${file}.`,
  unkept: (why: string) => `Your choices are in this browser only: they could not be kept. ${why}`,
  replaces: 'There is one of that name: it is replaced.',
  full: (most: number) => `There are ${most} presets. Delete one first.`,
  saved: (name: string) => `Saved as ${name}.`,
  deleted: (name: string) => `Deleted ${name}.`,
  /** What a preset asks for and the site no longer allows. */
  fellBack: (what: readonly AskedField[]) =>
    `Not possible here any more, so the usual one is taken: ${what.map((one) => fields[one]).join(', ')}.`,
};
