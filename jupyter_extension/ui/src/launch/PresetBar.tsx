import { useId } from 'react';

import type { Preset } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';

interface Props {
  presets: readonly Preset[];
  /** The name of the one that was chosen; empty for none. */
  chosen: string;
  onChoose: (name: string) => void;
}

/** The presets to choose from; nothing where there is none. */
export function PresetBar({ presets, chosen, onChoose }: Props) {
  const { t } = useSpeech();
  const id = useId();
  if (presets.length === 0) {
    return null;
  }
  return (
    <div className="presets">
      <label htmlFor={id}>{t.choices.preset}</label>
      <select
        id={id}
        data-testid="preset"
        value={chosen}
        onChange={({ target }) => onChoose(target.value)}
      >
        <option value="">{t.choices.none}</option>
        {presets.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

interface KeepProps {
  chosen: string;
  onSave: () => void;
  onRename: () => void;
  onDelete: () => void;
}

/** What can be done with the choices that the form shows. */
export function PresetTools({ chosen, onSave, onRename, onDelete }: KeepProps) {
  const { t } = useSpeech();
  return (
    <div className="preset-tools">
      <button
        type="button"
        className="button button-small"
        data-testid="preset-save"
        onClick={onSave}
      >
        {t.choices.save}
      </button>
      {chosen && (
        <>
          <button
            type="button"
            className="button button-small"
            data-testid="preset-rename"
            onClick={onRename}
          >
            {t.choices.rename}
          </button>
          <button
            type="button"
            className="button button-small"
            data-testid="preset-delete"
            onClick={onDelete}
          >
            <Icon name="trash" size={15} />
            {t.choices.delete}
          </button>
        </>
      )}
    </div>
  );
}
