import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator } from '@jupyterlab/translation';

import { addCommands } from './commands';
import { Desktops } from './desktops';
import { inLauncher } from './launcher';
import { inFileMenu, inNotebookTree } from './menus';
import { inPalette } from './palette';
import { inRunningPanel } from './running';
import { wordsOf } from './words';

/**
 * JupyterLab and Notebook 7 have different parts of what is asked for here: what one of them lacks is
 * left out.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'moonlight-hpc:plugin',
  description: 'Desktops on compute nodes: launches, lists, opens and stops them.',
  autoStart: true,
  optional: [
    ITranslator,
    ILauncher,
    ICommandPalette,
    IMainMenu,
    IDefaultFileBrowser,
    IRunningSessionManagers,
  ],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    mainMenu: IMainMenu | null,
    fileBrowser: IDefaultFileBrowser | null,
    running: IRunningSessionManagers | null,
  ): void => {
    // Installed also where the server extension is not enabled: its page is not there then.
    if (!PageConfig.getOption('moonlight')) {
      return;
    }
    const { serverSettings } = app.serviceManager;
    const words = wordsOf(translator?.languageCode ?? 'en');
    const desktops = new Desktops(serverSettings, words);
    addCommands(app.commands, desktops, words);
    if (launcher) {
      inLauncher(launcher, desktops);
    }
    if (palette) {
      inPalette(palette, desktops);
    }
    if (mainMenu) {
      inFileMenu(mainMenu, desktops);
    }
    if (fileBrowser) {
      inNotebookTree(fileBrowser.toolbar, desktops);
    }
    if (running) {
      inRunningPanel(running, app.commands, desktops, words);
    }
    void app.restored.then(() => desktops.watch());
  },
};

export default plugin;
