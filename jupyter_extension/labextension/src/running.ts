import { showErrorMessage } from '@jupyterlab/apputils';
import type { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import type { CommandRegistry } from '@lumino/commands';

import { COMMANDS } from './commands';
import type { Desktop } from './desktop';
import type { Desktops } from './desktops';
import { moonlightIcon } from './icon';
import type { Words } from './words';

/** The panel of what runs: all desktops that have not ended. */
export function inRunningPanel(
  panel: IRunningSessionManagers,
  commands: CommandRegistry,
  desktops: Desktops,
  words: Words,
): void {
  const item = (desktop: Desktop): IRunningSessions.IRunningItem => {
    const args = { id: desktop.session_id };
    return {
      open: () => void commands.execute(COMMANDS.desktop, args),
      shutdown: () => void commands.execute(COMMANDS.stop, args),
      icon: () => moonlightIcon,
      label: () => desktops.title(desktop),
      labelTitle: () => words.openCaption(desktop.node ?? ''),
      detail: () => [words.status[desktop.status], desktop.node].filter(Boolean).join(' · '),
    };
  };
  panel.add({
    name: words.desktops,
    running: () => desktops.live.map(item),
    // The panel has asked before it calls this.
    shutdownAll: () =>
      void Promise.all(desktops.live.map((one) => desktops.stop(one))).catch((why: Error) =>
        showErrorMessage(words.notStopped, why),
      ),
    refreshRunning: () => void desktops.refresh(),
    runningChanged: desktops.changed,
    shutdownLabel: words.stopNow,
    shutdownAllLabel: words.stopAll,
    shutdownAllConfirmationText: words.stopAllBody,
  });
}
