import { useSpeech } from '../i18n/Language';
import { durationParts } from '../time/format';
import { useNow } from '../time/useNow';
import type { Connection } from './connection';

/** Says that the picture is interrupted, and for how long, or why none can come; else nothing. */
export function ConnectionBanner({ connection }: { connection: Connection }) {
  const { t } = useSpeech();
  const { phase, since, offline } = connection;
  if (phase === 'interrupted' && since !== null) {
    return (
      <div className="banner banner-warning" data-testid="connection-banner" data-phase={phase}>
        <span className="spinner" aria-hidden="true" />
        <span role="status">{offline ? t.viewer.offline : t.viewer.interrupted}</span>
        <Since since={since} />
      </div>
    );
  }
  if (phase === 'blocked') {
    return (
      <div className="banner banner-warning" data-testid="connection-banner" data-phase={phase}>
        <span role="alert">{t.viewer.blocked}</span>
      </div>
    );
  }
  return phase === 'restored' ? (
    <div className="banner banner-good" data-testid="connection-banner" data-phase={phase}>
      <span role="status">{t.viewer.restored}</span>
    </div>
  ) : null;
}

function Since({ since }: { since: number }) {
  const { t } = useSpeech();
  useNow();
  return (
    <span role="timer" className="banner-time">
      {t.duration(durationParts((Date.now() - since) / 1000))}
    </span>
  );
}
