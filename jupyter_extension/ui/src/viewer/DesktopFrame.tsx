import { useCallback, type RefObject } from 'react';

const ALLOWED = 'clipboard-read; clipboard-write; fullscreen; autoplay; gamepad; keyboard-map';

interface Props {
  frame: RefObject<HTMLIFrameElement | null>;
  src: string;
  title: string;
  /** The user pressed the keys that lead out of the desktop, which takes all others. */
  onWantsTools: () => void;
}

const isToolsShortcut = ({ code, ctrlKey, altKey, shiftKey }: KeyboardEvent): boolean =>
  code === 'KeyM' && ctrlKey && altKey && shiftKey;

export function DesktopFrame({ frame, src, title, onWantsTools }: Props) {
  const loaded = useCallback(() => {
    const inner = frame.current?.contentWindow;
    // Whoever is in the toolbar or a dialog stays there.
    if (document.activeElement === document.body || document.activeElement === frame.current) {
      frame.current?.focus();
      inner?.focus();
    }
    inner?.addEventListener(
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
  }, [frame, onWantsTools]);

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
