import { useEffect, useState } from 'react';

import { useSpeech } from '../i18n/Language';
import { becomeFirst, hasFirst, showsFirst } from './secondWindow';

const LOOK_EVERY_MS = 1_000;
/** So long a first window that is loaded anew, or has gone back to the list of desktops, is waited for. */
const LOOKS = 10;

/** Whether a window with a second screen has lost the first one; of that, tells the second one. */
export function useAlone(second: boolean, shows: boolean): boolean {
  const [alone, setAlone] = useState(second && hasFirst(window) === false);
  useEffect(() => {
    if (second) {
      let missed = 0;
      const timer = setInterval(() => {
        const has = hasFirst(window);
        missed = has === undefined ? missed + 1 : 0;
        setAlone(has === false || missed > LOOKS);
      }, LOOK_EVERY_MS);
      return () => clearInterval(timer);
    }
    showsFirst(shows);
    return () => showsFirst(false);
  }, [second, shows]);
  return alone;
}

/** In the picture's place where there is no first screen that it could stand beside. */
export function NoFirst() {
  const { t } = useSpeech();
  return (
    <section className="elsewhere" data-testid="no-first-screen">
      <div className="elsewhere-words" role="status">
        <h2>{t.tools.noFirst}</h2>
      </div>
      <button type="button" className="button" onClick={() => becomeFirst()}>
        {t.tools.useHere}
      </button>
    </section>
  );
}

/** In its place where the desktop cannot be so large. */
export function NoRoom({ onAgain }: { onAgain: () => void }) {
  const { t } = useSpeech();
  return (
    <section className="elsewhere" data-testid="no-room">
      <div className="elsewhere-words" role="status">
        <h2>{t.tools.noRoom}</h2>
        <p>{t.tools.noRoomHint}</p>
      </div>
      <button type="button" className="button" onClick={onAgain}>
        {t.tryAgain}
      </button>
    </section>
  );
}
