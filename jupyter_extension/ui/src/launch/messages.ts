import type { FieldError } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';
import { NUMBER_FIELDS, type Complaints, type FormField } from './form';
import type { FieldMessages } from './OptionFields';

const SHOWN_AS: Partial<Record<string, keyof FieldMessages>> = {
  ...Object.fromEntries(NUMBER_FIELDS.map((field) => [field, field])),
  keyboard: 'keyboard',
  name: 'name',
  begin: 'begin',
  mail: 'mail',
  mail_to: 'mail_to',
  resolution: 'resolution',
  width: 'resolution',
  height: 'resolution',
};

export function messagesOf(t: Dictionary, complaints: Complaints): FieldMessages {
  const messages: FieldMessages = {};
  for (const [field, complaint] of Object.entries(complaints) as [
    FormField,
    Complaints[FormField],
  ][]) {
    const place = SHOWN_AS[field];
    if (!place || !complaint || messages[place]) {
      continue;
    }
    const label = t.field[field];
    messages[place] =
      complaint.kind === 'outOfRange'
        ? t.field.outOfRange(label, complaint.min, complaint.max)
        : t.field[complaint.kind](label);
  }
  return messages;
}

/** The server's messages that have a field to stand beside; null when any of them has none. */
export function messagesFromServer(errors: readonly FieldError[]): FieldMessages | null {
  const messages: FieldMessages = {};
  for (const { field, message } of errors) {
    const place = SHOWN_AS[field];
    if (!place) {
      return null;
    }
    messages[place] = message;
  }
  return errors.length > 0 ? messages : null;
}
