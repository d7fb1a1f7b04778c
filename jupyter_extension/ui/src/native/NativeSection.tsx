import { useEffect, useRef, useState } from 'react';

import { asApiError } from '../api/errors';
import type { Native } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import { AddressLine } from './AddressLine';
import { ClientList } from './ClientList';
import { askFresh, hasMoved, isMissing, withClient, withoutClient } from './pairing';
import { PairForm } from './PairForm';

/** How to use a session with a native Moonlight client; nothing is asked before it is opened. */
export function NativeSection({ sessionId, port }: { sessionId: string; port: number | null }) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error } = useTask();
  const [native, setNative] = useState<Native | null>(null);
  const [missing, setMissing] = useState(false);
  const changes = useRef(0);

  const load = (): void =>
    run(async () => {
      try {
        const answer = await askFresh(
          () => client.native(sessionId),
          () => changes.current,
        );
        setNative(answer);
        setMissing(!answer.available);
      } catch (cause) {
        if (!isMissing(asApiError(cause))) {
          throw cause;
        }
        setMissing(true);
      }
    });

  // The host may have been started again on other ports, while this is open.
  useEffect(() => {
    if (hasMoved(native, port)) {
      load();
    }
    // Asked once for each new port, whatever is answered.
  }, [port]);

  const change = (next: (now: Native) => Native): void => {
    changes.current += 1;
    setNative((now) => now && next(now));
    load();
  };

  if (missing) {
    return <NotHere />;
  }
  return (
    <details
      className="native"
      data-testid="native"
      onToggle={({ target, currentTarget }) => {
        // React lets the toggle of a dialog inside come up to here.
        if (target === currentTarget && currentTarget.open) {
          load();
        }
      }}
    >
      <summary>{t.native.title}</summary>
      <div className="native-body">
        <p className="quiet" role="status">
          {!native && busy && t.loading}
        </p>
        {error && <Problem error={error} retry={load} />}
        {native && (
          <>
            <ol className="native-steps">
              <li>
                {t.native.add}
                <AddressLine native={native} />
                <p className="quiet">{t.native.reach}</p>
              </li>
              <li>{t.native.choose}</li>
              <li>
                {t.native.type}
                <PairForm
                  sessionId={sessionId}
                  onPaired={(paired) => change((now) => withClient(now, paired))}
                  refresh={load}
                />
              </li>
            </ol>
            <ClientList
              sessionId={sessionId}
              clients={native.clients}
              onRemoved={(uuid) => change((now) => withoutClient(now, uuid))}
            />
          </>
        )}
      </div>
    </details>
  );
}

/** Takes the focus from the section that went away, so that a keyboard user keeps the place. */
function NotHere() {
  const { t } = useSpeech();
  const said = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) {
      said.current?.focus({ preventScroll: true });
    }
  }, []);
  return (
    <p className="visually-hidden" role="status" tabIndex={-1} ref={said}>
      {t.native.missing}
    </p>
  );
}
