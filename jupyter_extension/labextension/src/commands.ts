import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { CommandRegistry } from '@lumino/commands';

import type { Desktop } from './desktop';
import type { Desktops } from './desktops';
import { moonlightIcon } from './icon';
import type { Words } from './words';

export const COMMANDS = {
  /** The page that launches and lists desktops. */
  page: 'moonlight:open',
  /** One desktop, by its `id`. */
  desktop: 'moonlight:open-desktop',
  /** Stops one desktop, by its `id`, once the user has said so. */
  stop: 'moonlight:stop-desktop',
};

const show = (url: string): void => void window.open(url, '_blank', 'noopener');

export function addCommands(commands: CommandRegistry, desktops: Desktops, words: Words): void {
  commands.addCommand(COMMANDS.page, {
    label: words.product,
    caption: words.caption,
    icon: ({ isPalette }) => (isPalette ? undefined : moonlightIcon),
    execute: () => show(`${PageConfig.getBaseUrl()}moonlight/`),
  });
  const titleOf = (id: unknown): string => {
    const desktop = desktops.byId(id);
    return desktop ? desktops.title(desktop) : words.product;
  };
  commands.addCommand(COMMANDS.desktop, {
    label: ({ id }) => words.open(titleOf(id)),
    caption: ({ id }) => words.openCaption(desktops.byId(id)?.node ?? ''),
    icon: ({ isPalette }) => (isPalette ? undefined : moonlightIcon),
    isVisible: ({ id }) => desktops.byId(id) !== undefined,
    execute: ({ id }) => {
      const desktop = desktops.byId(id);
      if (desktop) {
        show(desktop.web_url);
      }
    },
  });
  commands.addCommand(COMMANDS.stop, {
    label: ({ id }) => words.stop(titleOf(id)),
    isVisible: ({ id }) => desktops.byId(id) !== undefined,
    execute: async ({ id }) => {
      const desktop = desktops.byId(id);
      if (desktop && (await confirmed(desktop, desktops.title(desktop), words))) {
        await desktops
          .stop(desktop)
          .catch((why: unknown) => showErrorMessage(words.notStopped, why as Error));
      }
    },
  });
}

async function confirmed(desktop: Desktop, title: string, words: Words): Promise<boolean> {
  const answer = await showDialog({
    title: words.stopTitle(title),
    body: desktop.way === 'guest' ? words.stopGuest : words.stopBody,
    buttons: [
      Dialog.cancelButton({ label: words.keep }),
      Dialog.warnButton({ label: words.stopNow }),
    ],
    // A stray Enter must not destroy somebody's work.
    defaultButton: 0,
  });
  return answer.button.accept;
}
