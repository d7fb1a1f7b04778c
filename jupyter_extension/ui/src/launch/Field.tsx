import type { ReactNode } from 'react';

/** A label, what belongs below it, what may be entered, and what is wrong with it. */
export function Field(props: {
  field: string;
  label: string;
  hint?: string;
  message?: string;
  children: ReactNode;
}) {
  const { field, label, hint, message, children } = props;
  return (
    <div className={message ? 'field field-wrong' : 'field'}>
      <label htmlFor={`field-${field}`}>{label}</label>
      {children}
      {hint && (
        <span className="field-hint" id={`field-${field}-hint`}>
          {hint}
        </span>
      )}
      {message && (
        <span
          className="field-error"
          id={`field-${field}-error`}
          data-testid="field-error"
          data-field={field}
        >
          {message}
        </span>
      )}
    </div>
  );
}

export const describedBy = (field: string, message?: string): string =>
  `field-${field}-hint${message ? ` field-${field}-error` : ''}`;
