import { useEffect, useRef, useState, type RefObject } from 'react';

import type { Session } from '../api/types';
import { isUsable, waysOf } from '../clipboard/clipboard';
import { ClipboardDialog } from '../clipboard/ClipboardDialog';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { homeUrl } from '../routes';
import { usePortal } from '../sessions/Portal';
import { Stale } from '../sessions/SessionFacts';
import { StopDialog } from '../sessions/StopDialog';
import { TimeLeft } from '../sessions/TimeLeft';
import { Tool } from './Tool';
import { useFullScreen } from './useFullScreen';

const SHOWN_AT_FIRST_MS = 4_000;
const LINGERS_MS = 900;
/** A press on the handle that follows the mouse's arrival this soon means "open", which it is. */
const SAME_GESTURE_MS = 500;

interface Props {
  session: Session;
  now: number;
  handle: RefObject<HTMLButtonElement | null>;
  onReload: () => void;
  /** Gives the keyboard back to the desktop. */
  onDone: () => void;
}

/** The tools above the desktop; they fold into a small handle when nobody needs them. */
export function Toolbar({ session, now, handle, onReload, onDone }: Props) {
  const { t } = useSpeech();
  const { settings } = usePortal();
  const [open, setOpen] = useState(true);
  const [asked, setAsked] = useState<'clipboard' | 'stop' | null>(null);
  const { full, possible, toggle } = useFullScreen();
  const bar = useRef<HTMLElement>(null);
  const folding = useRef<ReturnType<typeof setTimeout>>(undefined);
  const hoveredAt = useRef(0);

  const stay = (): void => clearTimeout(folding.current);
  const foldSoon = (after = LINGERS_MS): void => {
    stay();
    folding.current = setTimeout(() => {
      const inUse = bar.current?.matches(':hover, :focus-within');
      if (!inUse) {
        setOpen(false);
      }
    }, after);
  };
  const closeDialog = (): void => {
    setAsked(null);
    // After the dialog has handed the focus back to its button.
    requestAnimationFrame(onDone);
  };
  useEffect(() => {
    foldSoon(SHOWN_AT_FIRST_MS);
    return stay;
  }, []);

  return (
    <>
      <nav
        ref={bar}
        className={open ? 'toolbar toolbar-open' : 'toolbar'}
        aria-label={t.viewer.toolbar}
        onPointerEnter={({ pointerType, timeStamp }) => {
          stay();
          // A tap enters as well, right before it clicks.
          if (pointerType === 'mouse' && !open) {
            hoveredAt.current = timeStamp;
            setOpen(true);
          }
        }}
        onPointerLeave={() => foldSoon()}
        onBlur={() => foldSoon()}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && open) {
            setOpen(false);
            handle.current?.focus();
          }
        }}
      >
        {open && (
          <div className="tools" id="desktop-tools">
            <div className="tools-row">
              <span className="tools-facts">
                <strong>{session.image_name}</strong>
                {session.node && <span>{session.node}</span>}
                {session.ends_at && (
                  <span title={t.session.timeLeft}>
                    <Icon name="clock" size={15} /> <TimeLeft endsAt={session.ends_at} now={now} />
                  </span>
                )}
              </span>
              {possible && (
                <Tool
                  icon={full ? 'small' : 'full'}
                  label={full ? t.viewer.leaveFullScreen : t.viewer.fullScreen}
                  onPress={() => {
                    toggle();
                    onDone();
                  }}
                />
              )}
              <Tool
                icon="again"
                label={t.viewer.reload}
                onPress={() => {
                  onReload();
                  onDone();
                }}
              />
              {isUsable(waysOf(session)) && (
                <Tool
                  icon="clipboard"
                  label={t.clipboard.title}
                  testId="clipboard"
                  opensDialog
                  onPress={() => setAsked('clipboard')}
                />
              )}
              <Tool
                icon="stop"
                label={t.session.stop}
                testId="stop"
                opensDialog
                onPress={() => setAsked('stop')}
              />
              <a className="tool" href={homeUrl(settings.baseUrl)} aria-label={t.viewer.back}>
                <Icon name="back" size={17} />
                <span className="tool-label">{t.viewer.back}</span>
              </a>
            </div>
            <Stale session={session} now={now} />
            <p className="tools-hint">{t.viewer.shortcut}</p>
          </div>
        )}
        <button
          ref={handle}
          type="button"
          className="toolbar-handle"
          aria-expanded={open}
          aria-controls="desktop-tools"
          aria-label={open ? t.viewer.hideTools : t.viewer.showTools}
          aria-keyshortcuts="Control+Alt+Shift+M"
          onClick={({ timeStamp }) => {
            if (!open || timeStamp - hoveredAt.current > SAME_GESTURE_MS) {
              setOpen(!open);
            }
          }}
        >
          <Icon name={open ? 'up' : 'down'} size={16} />
        </button>
      </nav>
      {asked === 'clipboard' && <ClipboardDialog session={session} onClose={closeDialog} />}
      {asked === 'stop' && <StopDialog session={session} onClose={closeDialog} />}
    </>
  );
}
