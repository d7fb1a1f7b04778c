import { useSpeech } from '../i18n/Language';
import { usePortal } from '../sessions/Portal';

export function MineLink() {
  const { t } = useSpeech();
  const { home } = usePortal().door;
  return home ? (
    <p>
      <a href={home}>{t.viewer.mine}</a>
    </p>
  ) : null;
}
