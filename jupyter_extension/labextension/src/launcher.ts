import type { ILauncher } from '@jupyterlab/launcher';

import { COMMANDS } from './commands';
import type { Desktops } from './desktops';
import { renewed } from './renewed';

const CATEGORY = 'Moonlight';

/** The card, and beside it one for each desktop that runs. */
export function inLauncher(launcher: ILauncher, desktops: Desktops): void {
  launcher.add({ command: COMMANDS.page, category: CATEGORY, rank: 1 });
  renewed(desktops, () =>
    desktops.running.map(({ session_id: id }, place) =>
      launcher.add({
        command: COMMANDS.desktop,
        args: { id },
        category: CATEGORY,
        rank: 2 + place,
      }),
    ),
  );
}
