import { useEffect } from 'react';

import { useSpeech } from '../i18n/Language';
import { isFree } from './host/selkies';
import type { Display } from './secondWindow';

const LOOK_EVERY_MS = 2_000;
/** A window that is only loaded anew leaves for a moment too. */
const LOOKS = 2;

/** In the picture's place while another window has it; that comes back when nobody has it. */
export function Elsewhere({
  streamUrl,
  display,
  onUse,
}: {
  streamUrl: string;
  display: Display;
  onUse: () => void;
}) {
  const { t } = useSpeech();
  useEffect(() => {
    let free = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const look = async (): Promise<void> => {
      // Where it does not answer the connection is interrupted, which is told elsewhere.
      free = (await isFree(streamUrl, display).catch(() => false)) ? free + 1 : 0;
      if (over) {
        return;
      }
      if (free >= LOOKS) {
        onUse();
      } else {
        timer = setTimeout(() => void look(), LOOK_EVERY_MS);
      }
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [streamUrl, display, onUse]);
  return (
    <section className="elsewhere" data-testid="elsewhere">
      <div className="elsewhere-words" role="status">
        <h2>{t.tools.elsewhere}</h2>
        <p>{t.tools.elsewhereHint}</p>
      </div>
      <button type="button" className="button" data-testid="use-here" onClick={onUse}>
        {t.tools.useHere}
      </button>
    </section>
  );
}
