import { useEffect, useId, useRef, type ReactNode } from 'react';

import { useSpeech } from '../i18n/Language';
import { Icon } from './Icon';

interface Props {
  title: string;
  wide?: boolean;
  /** A press beside the dialog closes it; not for questions that want an answer. */
  lightDismiss?: boolean;
  /** What lies behind stays in full sight. */
  clear?: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** A modal question or view. The browser's own <dialog> keeps the focus inside and gives it back. */
export function Dialog(props: Props) {
  const { title, wide = false, lightDismiss = false, clear = false, onClose, children } = props;
  const { t } = useSpeech();
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  useEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement) {
        opener.focus();
      }
    };
  }, []);

  return (
    <dialog
      ref={element}
      className={['dialog', wide && 'dialog-wide', clear && 'dialog-clear']
        .filter(Boolean)
        .join(' ')}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (lightDismiss && event.target === element.current) {
          onClose();
        }
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="icon-button" aria-label={t.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
