import type { ICommandPalette } from '@jupyterlab/apputils';

import { COMMANDS } from './commands';
import type { Desktops } from './desktops';
import { renewed } from './renewed';

const CATEGORY = 'Moonlight';

export function inPalette(palette: ICommandPalette, desktops: Desktops): void {
  const add = (command: string, args: Record<string, string | boolean> = {}) =>
    palette.addItem({ command, category: CATEGORY, args: { ...args, isPalette: true } });
  add(COMMANDS.page);
  renewed(desktops, () =>
    desktops.live.flatMap(({ session_id: id, status }) => [
      ...(status === 'running' ? [add(COMMANDS.desktop, { id })] : []),
      ...(status === 'stopping' ? [] : [add(COMMANDS.stop, { id })]),
    ]),
  );
}
