import { useEffect, useRef, useState } from 'react';

import type { NativeClient } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { RemoveDialog } from './RemoveDialog';

interface Props {
  sessionId: string;
  clients: readonly NativeClient[];
  onRemoved: (uuid: string) => void;
}

export function ClientList({ sessionId, clients, onRemoved }: Props) {
  const { t } = useSpeech();
  const [asked, setAsked] = useState<NativeClient | null>(null);
  const [removed, setRemoved] = useState<NativeClient | null>(null);
  const title = useRef<HTMLHeadingElement>(null);

  // The button that asked is gone.
  useEffect(() => {
    if (removed) {
      title.current?.focus();
    }
  }, [removed]);

  return (
    <div className="native-clients">
      <h4 ref={title} tabIndex={-1}>
        {t.native.clients}
      </h4>
      <p className="visually-hidden" role="status">
        {removed && t.native.removed(removed.name)}
      </p>
      {clients.length === 0 && <p className="quiet">{t.native.noClients}</p>}
      {clients.length > 0 && (
        <ul>
          {clients.map((client) => (
            <li key={client.uuid} data-testid="native-client" data-uuid={client.uuid}>
              <span>
                {client.name}
                {!client.enabled && <span className="quiet"> · {t.native.blocked}</span>}
              </span>
              <button
                type="button"
                className="button button-small"
                data-testid="native-remove"
                aria-haspopup="dialog"
                aria-label={t.native.removeOne(client.name)}
                onClick={() => setAsked(client)}
              >
                {t.native.remove}
              </button>
            </li>
          ))}
        </ul>
      )}
      {asked && (
        <RemoveDialog
          sessionId={sessionId}
          client={asked}
          onClose={() => setAsked(null)}
          onRemoved={() => {
            setAsked(null);
            setRemoved(asked);
            onRemoved(asked.uuid);
          }}
        />
      )}
    </div>
  );
}
