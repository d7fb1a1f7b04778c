import { useState } from 'react';

import { useSpeech } from '../../i18n/Language';
import { Dialog } from '../../parts/Dialog';
import { CHORDS, type Chord } from '../host/keys';
import type { SelkiesHost, SelkiesState } from '../host/selkies';
import { Check } from './SettingsDialog';

interface Props {
  host: SelkiesHost;
  state: SelkiesState;
  onClose: () => void;
}

const isTouched = (): boolean => navigator.maxTouchPoints > 0;

/** Keys that never reach the desktop by themselves, and what a touch screen needs. */
export function KeysDialog({ host, state, onClose }: Props) {
  const { t } = useSpeech();
  const words = t.tools;
  /** Emptied first, so that the same key is told of again. */
  const [said, setSaid] = useState('');
  const press = (chord: Chord): void => {
    host.press(chord);
    setSaid('');
    requestAnimationFrame(() => setSaid(words.sent(words.chords[chord])));
  };
  return (
    <Dialog title={words.keys} clear onClose={onClose}>
      <p className="quiet">{words.keysHint}</p>
      <div className="keys">
        {(Object.keys(CHORDS) as Chord[]).map((chord) => (
          <button
            key={chord}
            type="button"
            className="button button-small"
            data-testid={`key-${chord}`}
            onClick={() => press(chord)}
          >
            {words.chords[chord]}
          </button>
        ))}
      </div>
      <p className="quiet" role="status">
        {said}
      </p>
      {isTouched() && (
        <fieldset className="touch">
          <legend>{words.touch}</legend>
          <Check
            label={words.trackpad}
            testId="trackpad"
            checked={state.wishes.trackpad}
            onChange={(trackpad) => host.wish({ trackpad })}
          />
          <button
            type="button"
            className="button button-small"
            data-testid="show-keyboard"
            onClick={() => {
              onClose();
              // After the focus has gone back to the desktop; the press still counts as the user's.
              setTimeout(host.showKeyboard, KEYBOARD_AFTER_MS);
            }}
          >
            {words.keyboard}
          </button>
        </fieldset>
      )}
    </Dialog>
  );
}

const KEYBOARD_AFTER_MS = 150;
