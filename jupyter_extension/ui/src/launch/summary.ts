import type { Dictionary } from '../i18n/languages/en';
import type { Language } from '../i18n/languages';
import { followsWindow, joinSize, type FormValues } from './form';
import { keyboardName } from './keyboards';

/** The screen's size, or that it has none of its own. */
export const sizeWords = (t: Dictionary, values: FormValues): string =>
  followsWindow(values) ? t.field.followWindow : joinSize(values).replace('x', '×');

/** All that is asked for, in one line. */
export function summaryOf(t: Dictionary, language: Language, values: FormValues): string {
  const { hours, cpus, memory_gb, gpus, fps, bitrate_kbps, keyboard } = values;
  const size = sizeWords(t, values);
  return [
    t.launch.summary(hours, cpus, memory_gb, gpus, size, fps),
    bitrate_kbps && t.launch.bitrate(bitrate_kbps),
    keyboard && t.launch.keyboard(keyboardName(t, language, keyboard)),
  ]
    .filter(Boolean)
    .join(' · ');
}
