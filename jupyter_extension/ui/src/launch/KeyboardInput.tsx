import { useSpeech } from '../i18n/Language';
import { describedBy, Field } from './Field';
import { keyboardName } from './keyboards';

interface Props {
  value: string;
  keyboards: readonly string[];
  message?: string;
  onChange: (keyboard: string) => void;
}

export function KeyboardInput({ value, keyboards, message, onChange }: Props) {
  const { t, language } = useSpeech();
  return (
    <Field field="keyboard" label={t.field.keyboard} hint={t.field.keyboardHint} message={message}>
      <select
        id="field-keyboard"
        name="keyboard"
        value={value}
        aria-invalid={message ? true : undefined}
        aria-describedby={describedBy('keyboard', message)}
        onChange={({ target }) => onChange(target.value)}
      >
        {keyboards.map((code) => (
          <option key={code} value={code}>
            {keyboardName(t, language, code)}
          </option>
        ))}
      </select>
    </Field>
  );
}
