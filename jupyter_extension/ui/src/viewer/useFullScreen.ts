import { useCallback, useEffect, useState } from 'react';

interface KeyboardLock {
  lock?: (keys?: string[]) => Promise<void>;
  unlock?: () => void;
}

interface Found {
  full: boolean;
  /** All keys belong to the desktop, Escape too: holding that leads out. */
  locked: boolean;
  possible: boolean;
  toggle: () => void;
}

export function useFullScreen(): Found {
  const [full, setFull] = useState(document.fullscreenElement !== null);
  const [locked, setLocked] = useState(false);
  useEffect(() => {
    const changed = (): void => {
      setFull(document.fullscreenElement !== null);
      if (!document.fullscreenElement) {
        setLocked(false);
      }
    };
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  const toggle = useCallback(
    () =>
      void (document.fullscreenElement
        ? document.exitFullscreen()
        : enterFullScreen(document.documentElement, navigator).then(setLocked, () => undefined)),
    [],
  );
  return { full, locked, possible: document.fullscreenEnabled, toggle };
}

/**
 * Full screen with all keys for the desktop, Escape and those of the system too, as far as the
 * browser knows how; whether it does.
 */
export async function enterFullScreen(page: Element, browser: Navigator): Promise<boolean> {
  // Firefox takes the wish with the request, Chromium by a call of its own.
  let asked = false;
  const options = {
    get keyboardLock() {
      asked = true;
      return 'browser';
    },
  };
  await page.requestFullscreen(options as FullscreenOptions);
  const { keyboard } = browser as Navigator & { keyboard?: KeyboardLock };
  if (!keyboard?.lock) {
    return asked;
  }
  return keyboard.lock().then(
    () => true,
    () => false,
  );
}
