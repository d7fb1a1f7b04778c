/**
 * A button that is clicked has the focus from then on, as most browsers do by themselves. Safari does not,
 * and what gives the focus back later, a dialog that is closed, would give it to another one.
 */
export function focusPressed(page: Pick<Document, 'addEventListener' | 'activeElement'>): void {
  page.addEventListener(
    'click',
    ({ target }) => {
      const button = target instanceof Element ? target.closest<HTMLElement>('button') : null;
      if (button && page.activeElement !== button) {
        button.focus({ preventScroll: true });
      }
    },
    { capture: true },
  );
}
