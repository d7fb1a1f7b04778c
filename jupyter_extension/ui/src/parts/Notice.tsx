import type { ReactNode } from 'react';

import { Icon } from './Icon';

interface Props {
  tone: 'info' | 'warning' | 'error';
  /** Errors interrupt a screen reader, everything else waits for its turn. */
  testId?: string;
  action?: { label: string; run: () => void; disabled?: boolean };
  /** In the action's place: a way to somewhere else. */
  link?: ReactNode;
  children: ReactNode;
}

export function Notice({ tone, testId, action, link, children }: Props) {
  return (
    <div
      className={`notice notice-${tone}`}
      role={tone === 'error' ? 'alert' : 'status'}
      data-testid={testId}
    >
      <Icon name={tone === 'info' ? 'info' : 'warning'} />
      <div className="notice-text">{children}</div>
      {link}
      {action && (
        <button
          type="button"
          className="button button-small"
          disabled={action.disabled}
          onClick={action.run}
        >
          {action.label}
        </button>
      )}
    </div>
  );
}
