import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';

import type { Session } from '../api/types';
import { fileWaysOf, isUsable, waysOf } from '../clipboard/clipboard';
import { idleRule } from '../idle/idle';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { usePortal } from '../sessions/Portal';
import { Stale } from '../sessions/SessionFacts';
import { TimeLeft } from '../sessions/TimeLeft';
import { SharedMark } from '../sharing/SharedMark';
import type { Transfers } from '../transfers/useTransfers';
import { verdictOf } from './host/connection';
import type { SelkiesHost, SelkiesState } from './host/selkies';
import { openSecondScreen } from './secondWindow';
import { Tool } from './Tool';
import { ToolDialog, type ToolName } from './tools/ToolDialog';
import { useFold } from './useFold';
import { useFullScreen } from './useFullScreen';
import { calledOf } from '../sessions/called';

interface Props {
  session: Session;
  now: number;
  /** The client in the frame, where it can be driven. */
  host: SelkiesHost | null;
  state: SelkiesState | null;
  /** This window is the desktop's second screen. */
  second: boolean;
  transfers: Transfers;
  handle: RefObject<HTMLButtonElement | null>;
  /** Rises when the user calls for the tools by the keyboard. */
  called: number;
  onReload: () => void;
  /** Gives the keyboard back to the desktop. */
  onDone: () => void;
}

/** The tools above the desktop; they fold into a small handle when nobody needs them. */
export function Toolbar(props: Props) {
  const { session, now, host, state, second, transfers, handle, called, onReload, onDone } = props;
  const { t } = useSpeech();
  const { home, shares } = usePortal().door;
  const [asked, setAsked] = useState<ToolName | null>(null);
  const [blocked, setBlocked] = useState(false);
  const { full, locked, possible, toggle } = useFullScreen();
  const bar = useRef<HTMLElement>(null);
  const { open, unfold, fold, events, ofTools, ofHandle } = useFold(bar, onDone);

  const done = useCallback(() => {
    fold();
    onDone();
  }, [fold, onDone]);
  const closeDialog = (): void => {
    setAsked(null);
    // After the dialog has handed the focus back to its button.
    requestAnimationFrame(onDone);
  };
  useEffect(() => {
    if (called > 0) {
      unfold();
      handle.current?.focus();
    }
  }, [called, unfold, handle]);

  const opens = (name: ToolName) => ({
    testId: name,
    opensDialog: true,
    onPress: () => setAsked(name),
  });
  const verdict = verdictOf(state?.samples ?? [], state?.path ?? null);
  const tone = verdict === 'good' ? 'good' : verdict === 'unknown' ? 'none' : 'bad';
  return (
    <>
      <nav
        ref={bar}
        className={open ? 'toolbar toolbar-open' : 'toolbar'}
        aria-label={t.viewer.toolbar}
        {...events}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            event.preventDefault();
            done();
          }
        }}
      >
        <button
          ref={handle}
          type="button"
          className="toolbar-handle"
          aria-expanded={open}
          aria-controls="desktop-tools"
          aria-label={open ? t.viewer.hideTools : t.viewer.showTools}
          aria-keyshortcuts="Control+Alt+Shift+M"
          {...ofHandle}
        >
          <Icon name={open ? 'up' : 'down'} size={16} />
        </button>
        {open && (
          <div className="tools" id="desktop-tools" {...ofTools}>
            <div className="tools-row">
              <span className="tools-facts">
                <strong>{second ? t.tools.secondScreen : calledOf(session)}</strong>
                {session.node && <span className="tools-node">{session.node}</span>}
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
                  testId="full-screen"
                  onPress={() => {
                    toggle();
                    onDone();
                  }}
                />
              )}
              {host && state?.extends && !second && (
                <Tool
                  icon="screens"
                  label={t.tools.addScreen}
                  testId="add-screen"
                  onPress={() => setBlocked(!openSecondScreen(session.session_id))}
                />
              )}
              {host && !second && (
                <Tool icon="sliders" label={t.tools.settings} {...opens('settings')} />
              )}
              {host && <Tool icon="keys" label={t.tools.keys} {...opens('keys')} />}
              {!second && isUsable(waysOf(session)) && (
                <Tool icon="clipboard" label={t.clipboard.title} {...opens('clipboard')} />
              )}
              {!second && isUsable(fileWaysOf(session)) && (
                <Tool icon="files" label={t.transfers.title} {...opens('files')} />
              )}
              {host && (
                <Tool
                  icon="pulse"
                  label={t.tools.connection}
                  state={{ word: t.tools.verdicts[verdict], tone }}
                  {...opens('connection')}
                />
              )}
              {shares && session.sharing !== 'off' && (
                <Tool icon="people" label={t.sharing.title} {...opens('sharing')} />
              )}
              <Tool
                icon="again"
                label={t.viewer.reload}
                testId="reload"
                onPress={() => {
                  onReload();
                  onDone();
                }}
              />
              {second ? (
                <Tool
                  icon="close"
                  label={t.tools.closeScreen}
                  testId="close-screen"
                  onPress={() => window.close()}
                />
              ) : (
                <Tool icon="stop" label={t.session.stop} {...opens('stop')} />
              )}
              {home && !second && (
                <a className="tool" href={home} title={t.viewer.back}>
                  <Icon name="back" size={17} />
                  <span className="tool-label">{t.viewer.mine}</span>
                </a>
              )}
            </div>
            <Stale session={session} now={now} />
            {blocked && (
              <p className="tools-problem" role="alert" data-testid="pop-up-blocked">
                {t.tools.popUpBlocked}
              </p>
            )}
            <p className="tools-hint">
              {second ? t.tools.secondHint : t.viewer.shortcut} {locked && t.tools.leaveFull}{' '}
              {idleRule(t, session)}
            </p>
          </div>
        )}
      </nav>
      <SharedMark session={session} onPress={() => setAsked('sharing')} />
      {asked && (
        <ToolDialog
          name={asked}
          session={session}
          host={host}
          transfers={transfers}
          state={state}
          onClose={closeDialog}
        />
      )}
    </>
  );
}
