import { useId, useState, type FormEvent } from 'react';

import type { Preset } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Dialog } from '../parts/Dialog';
import { cleanName, MOST_PRESET_SIGNS, MOST_PRESETS } from './kept';

interface Props {
  presets: readonly Preset[];
  /** The preset that gets another name; empty for a new one. */
  renames: string;
  /** They are kept in this browser alone. */
  here: boolean;
  onName: (name: string) => void;
  onClose: () => void;
}

/** Asks what a preset is to be called. */
export function PresetDialog({ presets, renames, here, onName, onClose }: Props) {
  const { t } = useSpeech();
  const [name, setName] = useState(renames);
  const id = useId();
  const wanted = cleanName(name);
  const taken = wanted !== renames && presets.some((preset) => preset.name === wanted);
  const full = !renames && !taken && presets.length >= MOST_PRESETS;

  const hint = here ? t.choices.nameHintHere : t.choices.nameHint;

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    event.stopPropagation(); // React hands it on to the launch form around this dialog
    if (wanted && !full) {
      onName(wanted);
      onClose();
    }
  };

  return (
    <Dialog title={renames ? t.choices.renameTitle : t.choices.saveTitle} onClose={onClose}>
      <form className="rename" onSubmit={submit} noValidate>
        <div className="field">
          <label htmlFor={id}>{t.choices.name}</label>
          <input
            id={id}
            type="text"
            autoComplete="off"
            autoFocus
            data-testid="preset-name"
            maxLength={MOST_PRESET_SIGNS}
            value={name}
            aria-describedby={`${id}-hint`}
            onChange={(event) => setName(event.target.value)}
          />
          <span className="field-hint" id={`${id}-hint`} role="status">
            {full ? t.choices.full(MOST_PRESETS) : taken ? t.choices.replaces : hint}
          </span>
        </div>
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {t.desktops.cancel}
          </button>
          <button
            type="submit"
            className="button button-primary"
            data-testid="preset-confirm"
            disabled={!wanted || full}
          >
            {t.desktops.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
