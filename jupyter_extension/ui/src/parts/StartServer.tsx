import { useSpeech } from '../i18n/Language';
import { usePortal } from '../sessions/Portal';

/**
 * Starts our server again at the Hub, beside this page, which goes on when it is there; nothing where
 * no Hub has started ours.
 */
export function StartServer() {
  const { t } = useSpeech();
  const { hubStart } = usePortal().settings;
  return hubStart ? (
    <a
      className="button button-small"
      data-testid="start-server"
      href={hubStart}
      target="_blank"
      rel="noopener noreferrer"
      title={t.session.connectHint}
    >
      {t.link.startServer}
    </a>
  ) : null;
}
