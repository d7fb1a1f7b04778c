import { useCallback, type RefObject } from 'react';

import { ownPage } from './host/ownPage';
import { isToolsShortcut } from './shortcut';

const ALLOWED = 'clipboard-read; clipboard-write; fullscreen; autoplay; gamepad; keyboard-map';

interface Props {
  frame: RefObject<HTMLIFrameElement | null>;
  src: string;
  title: string;
  /** The user pressed the keys that lead out of the desktop, which takes all others. */
  onWantsTools: () => void;
  onLoaded: (inner: Window) => void;
}

export function DesktopFrame({ frame, src, title, onWantsTools, onLoaded }: Props) {
  const loaded = useCallback(() => {
    const inner = frame.current?.contentWindow;
    // Whoever is in the toolbar or a dialog stays there.
    if (document.activeElement === document.body || document.activeElement === frame.current) {
      frame.current?.focus();
      inner?.focus();
    }
    if (!inner) {
      return;
    }
    if (ownPage(inner)) {
      inner.addEventListener(
        'keydown',
        (event) => {
          if (isToolsShortcut(event)) {
            event.preventDefault();
            event.stopImmediatePropagation();
            onWantsTools();
          }
        },
        { capture: true },
      );
    }
    onLoaded(inner);
  }, [frame, onWantsTools, onLoaded]);

  return (
    <iframe
      ref={frame}
      className="desktop-frame"
      data-testid="desktop-frame"
      src={src}
      title={title}
      allow={ALLOWED}
      onLoad={loaded}
    />
  );
}
