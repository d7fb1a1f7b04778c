import { useCallback, useEffect, useState } from 'react';

interface KeyboardLock {
  lock?: (keys?: string[]) => Promise<void>;
}

export function useFullScreen(): { full: boolean; possible: boolean; toggle: () => void } {
  const [full, setFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    const changed = (): void => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  const toggle = useCallback(() => void toggleFullScreen(), []);
  return { full, possible: document.fullscreenEnabled, toggle };
}

async function toggleFullScreen(): Promise<void> {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  await document.documentElement.requestFullscreen();
  const { keyboard } = navigator as Navigator & { keyboard?: KeyboardLock };
  // Escape belongs to the desktop's programs; where this works, holding it leaves full screen.
  await keyboard?.lock?.(['Escape']).catch(() => undefined);
}
