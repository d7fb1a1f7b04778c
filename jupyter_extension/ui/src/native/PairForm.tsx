import { useId, useRef, useState, type FormEvent } from 'react';

import { asApiError } from '../api/errors';
import type { PairedClient } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import {
  checkPairing,
  complaintsFrom,
  DEFAULT_NAME,
  nobodyWaits,
  pairRequest,
  type PairComplaints,
  type PairField,
  type PairValues,
} from './pairing';

interface Props {
  sessionId: string;
  onPaired: (client: PairedClient) => void;
  /** Asks for the list again: it may have changed without an answer. */
  refresh: () => void;
}

const EMPTY: PairValues = { pin: '', name: '' };
const FIELDS: PairField[] = ['pin', 'name'];

export function PairForm({ sessionId, onPaired, refresh }: Props) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error, clear } = useTask();
  const [values, setValues] = useState(EMPTY);
  const [complaints, setComplaints] = useState<PairComplaints>({});
  const [paired, setPaired] = useState('');
  const form = useRef<HTMLFormElement>(null);
  const id = useId();

  const complain = (found: PairComplaints): void => {
    setComplaints(found);
    const first = Object.keys(found)[0];
    requestAnimationFrame(() =>
      form.current?.querySelector<HTMLInputElement>(`input[name="${first}"]`)?.select(),
    );
  };

  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    const request = pairRequest(values);
    const found = checkPairing(request);
    if (busy) {
      return;
    }
    clear();
    setPaired('');
    setComplaints({});
    if (Object.keys(found).length > 0) {
      complain(found);
      return;
    }
    run(async () => {
      try {
        const done = await client.pair(sessionId, request);
        setValues(EMPTY);
        setPaired(done.name);
        onPaired(done);
      } catch (cause) {
        const refusal = asApiError(cause);
        const about = complaintsFrom(refusal);
        if (!about) {
          if (nobodyWaits(refusal)) {
            refresh();
          }
          throw refusal;
        }
        complain(about);
      }
    });
  };

  return (
    <form className="native-form" ref={form} onSubmit={submit} noValidate aria-busy={busy}>
      <div className="native-line">
        {FIELDS.map((field) => (
          <TextField
            key={field}
            id={`${id}-${field}`}
            name={field}
            value={values[field]}
            wrong={field in complaints}
            onChange={(value) => setValues((before) => ({ ...before, [field]: value }))}
          />
        ))}
        <button type="submit" className="button" data-testid="native-pair" disabled={busy}>
          {busy ? t.native.pairing : t.native.pair}
        </button>
      </div>
      {FIELDS.map((field) => {
        const complaint = complaints[field];
        return (
          complaint && (
            <p
              key={field}
              className="field-error"
              id={`${id}-${field}-error`}
              data-testid="field-error"
              data-field={field}
            >
              {t.native[complaint]}
            </p>
          )
        );
      })}
      <p className="native-done" role="status" data-testid={paired ? 'native-message' : undefined}>
        {paired && (
          <>
            <Icon name="check" size={17} />
            {t.native.paired(paired)}
          </>
        )}
      </p>
      {error && (
        <Problem
          error={error}
          testId="native-message"
          retry={nobodyWaits(error) ? undefined : submit}
        />
      )}
    </form>
  );
}

function TextField(props: {
  id: string;
  name: PairField;
  value: string;
  wrong: boolean;
  onChange: (value: string) => void;
}) {
  const { id, name, value, wrong, onChange } = props;
  const { t } = useSpeech();
  const isPin = name === 'pin';
  return (
    <div className={isPin ? 'field native-pin' : 'field native-label'}>
      <label htmlFor={id}>{t.native[name]}</label>
      <input
        id={id}
        name={name}
        type="text"
        inputMode={isPin ? 'numeric' : undefined}
        autoComplete="off"
        placeholder={isPin ? undefined : DEFAULT_NAME}
        value={value}
        data-testid={isPin ? 'native-pin' : undefined}
        aria-required={isPin}
        aria-invalid={wrong || undefined}
        aria-describedby={wrong ? `${id}-error` : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
