import { useSpeech } from '../i18n/Language';
import { homeUrl } from '../routes';
import { usePortal } from '../sessions/Portal';

export function MineLink() {
  const { t } = useSpeech();
  const { settings } = usePortal();
  return (
    <p>
      <a href={homeUrl(settings.baseUrl)}>{t.viewer.mine}</a>
    </p>
  );
}
