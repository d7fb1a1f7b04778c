import type { IMainMenu } from '@jupyterlab/mainmenu';
import { MessageLoop } from '@lumino/messaging';
import { MenuBar, type Menu, type PanelLayout, type Widget } from '@lumino/widgets';

import { COMMANDS } from './commands';
import type { Desktops } from './desktops';
import { renewed } from './renewed';

// Below the notebooks and consoles that JupyterLab puts there itself.
const RANK = 100;

/** File > New. */
export function inFileMenu(mainMenu: IMainMenu, desktops: Desktops): void {
  const { newMenu } = mainMenu.fileMenu;
  newMenu.addItem({ type: 'separator', rank: RANK });
  newMenu.addItem({ command: COMMANDS.page, rank: RANK });
  renewed(desktops, () =>
    desktops.running.map(({ session_id: id }) =>
      newMenu.addItem({ command: COMMANDS.desktop, args: { id }, rank: RANK }),
    ),
  );
}

/**
 * The New button above Notebook 7's files. It has no way in of its own for other extensions: it is
 * found by its name in the toolbar, and fills its menu anew when the kernels change.
 */
export function inNotebookTree(
  toolbar: Widget & { names(): IterableIterator<string> },
  desktops: Desktops,
): void {
  let entries: NewEntries | undefined;
  const find = (): void => {
    const place = [...toolbar.names()].indexOf('new-dropdown');
    const found = (toolbar.layout as PanelLayout | null)?.widgets[place];
    const menu = found instanceof MenuBar ? found.menus[0] : undefined;
    if (menu && menu !== entries?.menu) {
      entries = new NewEntries(menu, desktops);
    }
  };
  // The toolbar gets its buttons, and they their names, after its settings are read.
  MessageLoop.installMessageHook(toolbar, (_, { type }) => {
    if (type === 'child-added') {
      void Promise.resolve().then(find);
    }
    return true;
  });
  find();
}

/** Ours in that menu, put back whenever others have changed it. */
class NewEntries {
  private own: Menu.IItem[] = [];

  constructor(
    readonly menu: Menu,
    private readonly desktops: Desktops,
  ) {
    MessageLoop.installMessageHook(menu, (_, { type }) => {
      if (type === 'update-request') {
        this.mend();
      }
      return true;
    });
    desktops.changed.connect(() => this.fill());
    this.mend();
  }

  private mend(): void {
    this.menu.items.filter(isDouble).forEach((item) => this.menu.removeItem(item));
    if (!this.own.every((item) => this.menu.items.includes(item)) || this.own.length === 0) {
      this.fill();
    }
  }

  private fill(): void {
    const { menu, desktops } = this;
    this.own.forEach((item) => menu.removeItem(item));
    const items: Menu.IItemOptions[] = [
      { type: 'separator' },
      { command: COMMANDS.page },
      ...desktops.running.map(({ session_id: id }) => ({
        command: COMMANDS.desktop,
        args: { id },
      })),
    ];
    this.own = items.map((item) => menu.addItem(item));
  }
}

/** jupyter-server-proxy lists here what its settings have switched off as well: our own entry for
 * Jupyter servers without our extension. */
const isDouble = ({ command, args }: Menu.IItem): boolean =>
  command === 'server-proxy:open' && String(args['url']).endsWith('/moonlight-desktop/');
