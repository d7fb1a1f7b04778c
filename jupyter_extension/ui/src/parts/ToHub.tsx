import { useSpeech } from '../i18n/Language';
import { usePortal } from '../sessions/Portal';

/**
 * To the Hub's page where a server is started, beside this one, which goes on when it is there again;
 * nothing where no Hub has started ours.
 */
export function ToHub() {
  const { t } = useSpeech();
  const { hubHome } = usePortal().settings;
  return hubHome ? (
    <a
      className="button button-small"
      data-testid="hub-home"
      href={hubHome}
      target="_blank"
      rel="noopener noreferrer"
      title={t.session.connectHint}
    >
      {t.link.toHub}
    </a>
  ) : null;
}
