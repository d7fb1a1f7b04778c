import { useState, type ReactNode } from 'react';

import type { Limits, Range, Where } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Check } from '../viewer/tools/SettingsDialog';
import { describedBy, Field } from './Field';
import {
  fixedSize,
  FOLLOWS,
  followsWindow,
  isAskedFor,
  isChoice,
  isWhole,
  joinSize,
  NO,
  NUMBER_FIELDS,
  rangeOf,
  sizesWithin,
  splitSize,
  YES,
} from './form';
import type { FormField, FormValues, NumberField } from './form';
import { KeyboardInput } from './KeyboardInput';

/** What to say beside a field, by the API's field name. */
export type FieldMessages = Partial<
  Record<NumberField | 'resolution' | 'keyboard' | 'name' | 'begin' | 'mail' | 'mail_to', string>
>;

interface Props {
  values: FormValues;
  limits: Limits;
  keyboards: readonly string[];
  messages: FieldMessages;
  where?: Where;
  onChange: (changes: Partial<FormValues>) => void;
}

const CUSTOM = 'custom';
const WINDOW = 'window';

export function OptionFields({ values, limits, keyboards, messages, where, onChange }: Props) {
  const { t } = useSpeech();
  return (
    <div className="fields">
      {NUMBER_FIELDS.map((field) => {
        const value = values[field];
        const range = rangeOf(field, limits);
        return (
          value !== undefined &&
          isAskedFor(field, where) &&
          range &&
          isChoice(range) && (
            <NumberInput
              key={field}
              field={field}
              value={value}
              range={range}
              message={messages[field]}
              onChange={onChange}
            />
          )
        );
      })}
      <SizeInput
        values={values}
        limits={limits}
        message={messages.resolution}
        onChange={onChange}
      />
      {values.keyboard !== undefined && keyboards.length > 1 && (
        <KeyboardInput
          value={values.keyboard}
          keyboards={keyboards}
          message={messages.keyboard}
          onChange={(keyboard) => onChange({ keyboard })}
        />
      )}
      {values.picture !== undefined && (
        <div className="field field-check">
          <Check
            label={t.preview.wanted}
            hint={t.preview.wantedHint}
            testId="picture-wanted"
            checked={values.picture === YES}
            onChange={(wanted) => onChange({ picture: wanted ? YES : NO })}
          />
        </div>
      )}
    </div>
  );
}

function NumberInput(props: {
  field: NumberField;
  value: string;
  range: Range;
  message?: string;
  onChange: Props['onChange'];
}) {
  const { field, value, range, message, onChange } = props;
  const { t } = useSpeech();
  const { min, max } = range;
  return (
    <Field field={field} label={t.field[field]} hint={t.field.range(min, max)} message={message}>
      <input
        id={`field-${field}`}
        name={field}
        type="text"
        inputMode={isWhole(field) ? 'numeric' : 'decimal'}
        autoComplete="off"
        value={value}
        aria-invalid={message ? true : undefined}
        aria-describedby={describedBy(field, message)}
        onChange={(event) => onChange({ [field]: event.target.value })}
      />
    </Field>
  );
}

function SizeInput({
  values,
  limits,
  message,
  onChange,
}: Omit<Props, 'messages' | 'keyboards'> & { message?: string }) {
  const { t } = useSpeech();
  const sizes = sizesWithin(limits);
  const size = joinSize(values);
  const [asksCustom, setAsksCustom] = useState(false);
  const follows = followsWindow(values);
  const custom = !follows && (asksCustom || !sizes.includes(size));
  const { width, height } = limits;
  const hint = follows
    ? t.field.followHint
    : t.field.sizeRange(width.min, height.min, width.max, height.max);

  const side = (name: Extract<FormField, 'width' | 'height'>): ReactNode => (
    <input
      name={name}
      type="text"
      inputMode="numeric"
      autoComplete="off"
      aria-label={t.field[name]}
      aria-invalid={message ? true : undefined}
      aria-describedby={describedBy('resolution', message)}
      value={values[name]}
      onChange={(event) => onChange({ [name]: event.target.value })}
    />
  );

  return (
    <Field field="resolution" label={t.field.resolution} hint={hint} message={message}>
      <select
        id="field-resolution"
        name="resolution"
        value={follows ? WINDOW : custom ? CUSTOM : size}
        aria-describedby={describedBy('resolution', message)}
        onChange={({ target }) => {
          setAsksCustom(target.value === CUSTOM);
          if (target.value === WINDOW) {
            onChange({ follow_window: FOLLOWS });
          } else {
            const chosen = target.value === CUSTOM ? size : target.value;
            onChange(values.follow_window === undefined ? splitSize(chosen) : fixedSize(chosen));
          }
        }}
      >
        {values.follow_window !== undefined && (
          <option value={WINDOW}>{t.field.followWindow}</option>
        )}
        {sizes.map((common) => (
          <option key={common} value={common}>
            {common.replace('x', ' × ')}
          </option>
        ))}
        <option value={CUSTOM}>{t.field.custom}</option>
      </select>
      {custom && (
        <span className="size">
          {side('width')}
          <span aria-hidden="true">×</span>
          {side('height')}
        </span>
      )}
    </Field>
  );
}
