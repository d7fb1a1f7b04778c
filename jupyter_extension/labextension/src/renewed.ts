import { DisposableSet, type IDisposable } from '@lumino/disposable';

import type { Desktops } from './desktops';

/** What stands for the running desktops at one place: taken away and added again when they change. */
export function renewed(desktops: Desktops, add: () => Iterable<IDisposable>): void {
  let entries = DisposableSet.from(add());
  desktops.changed.connect(() => {
    entries.dispose();
    entries = DisposableSet.from(add());
  });
}
