import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { usePortal } from '../sessions/Portal';

/** In sight as long as somebody else looks at the desktop, also while the tools are folded. */
export function SharedMark({ session, onPress }: { session: Session; onPress: () => void }) {
  const { t } = useSpeech();
  const { shares } = usePortal().door;
  if (!shares || !session.guests) {
    return null;
  }
  return (
    <button
      type="button"
      className="shared-mark"
      data-testid="shared-mark"
      aria-haspopup="dialog"
      onClick={onPress}
    >
      <Icon name="people" size={15} />
      <span role="status">{t.sharing.sharedWith(session.guests)}</span>
    </button>
  );
}
