import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { isLongWait } from './becameReady';
import { consentStore, useConsent } from './useConsent';

/** Offers, once, that the browser tells when a desktop is ready whose queue is long. */
export function TellMe({ session, now }: { session: Session; now: number }) {
  const { t } = useSpeech();
  const consent = useConsent();
  if (session.status !== 'pending') {
    return null;
  }
  if (consent === 'yes') {
    return (
      <p className="quiet" role="status">
        {t.ready.willTell}
      </p>
    );
  }
  if (consent !== 'ask' || !isLongWait(session, now)) {
    return null;
  }
  const { ask, decline } = consentStore();
  return (
    <div className="tell-me" data-testid="tell-me">
      <p>{t.ready.offer}</p>
      <div className="actions">
        <button type="button" className="button button-small" onClick={() => void ask()}>
          {t.ready.yes}
        </button>
        <button type="button" className="button button-small" onClick={decline}>
          {t.ready.no}
        </button>
      </div>
    </div>
  );
}
