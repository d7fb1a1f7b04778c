import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { nameOf } from './folders';

/** While files are held over the picture: where they go. */
export function DropHint({ folder }: { folder: string | null }) {
  const { t } = useSpeech();
  const words = t.transfers;
  const name = folder === null || folder === '~' ? null : nameOf(folder);
  return (
    <div className="drop-hint" data-testid="drop-hint">
      <p>
        <Icon name="up" size={22} />{' '}
        {folder === '~' ? words.dropIn(words.home) : name ? words.dropIn(name) : words.drop}
      </p>
    </div>
  );
}
