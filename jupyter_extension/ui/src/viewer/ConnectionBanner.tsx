import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { StartServer } from '../parts/StartServer';
import { usePortal } from '../sessions/Portal';
import { durationParts } from '../time/format';
import { useNow } from '../time/useNow';
import { comesBack, type Connection } from './connection';
import { fateOf } from './fate';

/** Says that the picture is interrupted, and for how long, or why none can come; else nothing. */
export function ConnectionBanner({
  connection,
  session,
}: {
  connection: Connection;
  session: Session;
}) {
  const { t } = useSpeech();
  const { phase, since } = connection;
  if (phase === 'interrupted' && since !== null) {
    return <Interrupted connection={connection} since={since} session={session} />;
  }
  if (phase === 'blocked') {
    return (
      <div className="banner banner-warning" data-testid="connection-banner" data-phase={phase}>
        <span role="alert">{t.viewer.blocked}</span>
      </div>
    );
  }
  if (connection.waits) {
    return (
      <div className="banner" data-testid="connection-banner" data-phase="waits">
        <span className="spinner" aria-hidden="true" />
        <span role="status">{t.viewer.anotherStarts}</span>
      </div>
    );
  }
  return phase === 'restored' ? (
    <div className="banner banner-good" data-testid="connection-banner" data-phase={phase}>
      <span role="status">{t.viewer.restored}</span>
    </div>
  ) : null;
}

function Interrupted({
  connection,
  since,
  session,
}: {
  connection: Connection;
  since: number;
  session: Session;
}) {
  const { t } = useSpeech();
  const { settings } = usePortal();
  const { phase, cause, offline } = connection;
  const fate = fateOf(session, settings.job);
  const waits = comesBack(connection);
  const sentence = offline
    ? t.viewer.offline(fate)
    : cause === 'host' || cause === 'pausing'
      ? t.viewer.hostEnded[cause]
      : cause === null || cause === 'network' || cause === 'node'
        ? t.viewer.interrupted(cause === 'node' ? 'on' : fate)
        : t.viewer.inFront[cause](fate, settings.hubStart !== null);
  return (
    <div
      className="banner banner-warning"
      data-testid="connection-banner"
      data-phase={phase}
      data-cause={cause}
    >
      {waits && <span className="spinner" aria-hidden="true" />}
      <span className="banner-words" role={waits ? 'status' : 'alert'}>
        {sentence}
      </span>
      {waits ? (
        <Since since={since} />
      ) : cause === 'stopped' && settings.hubStart ? (
        <StartServer />
      ) : (
        <Reload />
      )}
    </div>
  );
}

function Reload() {
  const { t } = useSpeech();
  return (
    <button type="button" className="button button-small" onClick={() => location.reload()}>
      {t.reloadPage}
    </button>
  );
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
