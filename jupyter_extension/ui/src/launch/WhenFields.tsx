import type { Site } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { useNow } from '../time/useNow';
import { Check } from '../viewer/tools/SettingsDialog';
import { describedBy, Field } from './Field';
import type { FieldMessages } from './OptionFields';
import { beginRange, type When } from './when';

interface Props {
  site: Site;
  when: When;
  messages: FieldMessages;
  onChange: (when: When) => void;
}

/** When it is to begin, and whether its user gets mail then, where the site has that. */
export function WhenFields({ site, when, messages, onChange }: Props) {
  const { t } = useSpeech();
  const range = beginRange(site, useNow(60_000));
  if (!range && !site.mail) {
    return null;
  }
  return (
    <div className="fields">
      {range && (
        <Field field="begin" label={t.when.begin} hint={t.when.beginHint} message={messages.begin}>
          <input
            id="field-begin"
            name="begin"
            type="datetime-local"
            min={range.min}
            max={range.max}
            value={when.begin}
            aria-invalid={messages.begin ? true : undefined}
            aria-describedby={describedBy('begin', messages.begin)}
            onChange={(event) => onChange({ ...when, begin: event.target.value })}
          />
        </Field>
      )}
      {site.mail && (
        <div className="field field-check">
          <Check
            label={t.when.mail}
            hint={messages.mail ?? t.when.mailHint}
            testId="mail"
            checked={when.mail}
            onChange={(mail) => onChange({ ...when, mail })}
          />
        </div>
      )}
      {site.mail && when.mail && (
        <Field
          field="mail_to"
          label={t.when.mailTo}
          hint={t.when.mailToHint}
          message={messages.mail_to}
        >
          <input
            id="field-mail_to"
            name="mail_to"
            type="email"
            autoComplete="email"
            value={when.mailTo}
            aria-invalid={messages.mail_to ? true : undefined}
            aria-describedby={describedBy('mail_to', messages.mail_to)}
            onChange={(event) => onChange({ ...when, mailTo: event.target.value })}
          />
        </Field>
      )}
    </div>
  );
}
