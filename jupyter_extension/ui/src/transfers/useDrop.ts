import { useCallback, useEffect, useRef, useState } from 'react';

import { ownPage } from '../viewer/host/ownPage';
import { hasFiles } from './dropped';

/** An element of the page under a drag that has ended says so; a window that the drag left may not. */
const OVER_FOR_MS = 600;

/**
 * Files that are dropped onto this page or onto the picture in its frame, which never hears of them: it
 * would have its own idea of where they go.
 *
 * @param take null: none are taken, and a browser is kept from showing them in the page's place
 */
export function useDrop(take: ((data: DataTransfer) => void) | null): {
  over: boolean;
  /** Listens to what the frame shows now, too. */
  listenTo: (frame: Window) => void;
} {
  const [over, setOver] = useState(false);
  const takes = useRef(take);
  takes.current = take;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const dragged = useCallback((event: DragEvent) => {
    if (!event.dataTransfer || !hasFiles(event.dataTransfer)) {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    event.dataTransfer.dropEffect = takes.current ? 'copy' : 'none';
    if (takes.current) {
      setOver(true);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setOver(false), OVER_FOR_MS);
    }
  }, []);
  const drop = useCallback((event: DragEvent) => {
    if (!event.dataTransfer || !hasFiles(event.dataTransfer)) {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    setOver(false);
    takes.current?.(event.dataTransfer);
  }, []);
  const listenTo = useCallback(
    (frame: Window) => {
      if (frame !== window && !ownPage(frame)) {
        return;
      }
      for (const name of ['dragenter', 'dragover'] as const) {
        frame.addEventListener(name, dragged, { capture: true });
      }
      frame.addEventListener('drop', drop, { capture: true });
    },
    [dragged, drop],
  );
  useEffect(() => {
    listenTo(window);
    return () => {
      for (const name of ['dragenter', 'dragover'] as const) {
        window.removeEventListener(name, dragged, { capture: true });
      }
      window.removeEventListener('drop', drop, { capture: true });
      clearTimeout(timer.current);
    };
  }, [listenTo, dragged, drop]);
  return { over, listenTo };
}
