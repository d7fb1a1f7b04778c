import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { whichOf } from './called';

/** For screen readers: of all buttons of one word, which desktop's this one is. */
export function Which({ session }: { session: Session }) {
  const { t } = useSpeech();
  return <span className="visually-hidden">{whichOf(t, session)}</span>;
}
