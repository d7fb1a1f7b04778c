import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { ILauncher } from '@jupyterlab/launcher';

import { moonlightIcon } from './icon';

const OPEN = 'moonlight:open';
const CATEGORY = 'Moonlight';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'moonlight-hpc:plugin',
  description: 'A launcher card and a command that open the Moonlight session page.',
  autoStart: true,
  optional: [ILauncher, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
  ): void => {
    // Installed also where the server extension is not enabled: its page is not there then.
    if (!PageConfig.getOption('moonlight')) {
      return;
    }
    app.commands.addCommand(OPEN, {
      label: 'Moonlight Desktop',
      caption: 'Launch a GPU desktop on a compute node and use it in this browser',
      icon: (args) => (args.isPalette ? undefined : moonlightIcon),
      execute: () => {
        window.open(`${PageConfig.getBaseUrl()}moonlight/`, '_blank', 'noopener');
      },
    });
    launcher?.add({ command: OPEN, category: CATEGORY, rank: 1 });
    palette?.addItem({ command: OPEN, category: CATEGORY, args: { isPalette: true } });
  },
};

export default plugin;
