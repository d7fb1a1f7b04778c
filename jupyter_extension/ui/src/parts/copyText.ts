/** Copies to the clipboard; outside of https there is only the old way, through a selection. */
export async function copyText(text: string, holder: HTMLElement): Promise<boolean> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Forbidden by a policy: the selection may still work.
    }
  }
  if (holder instanceof HTMLTextAreaElement) {
    return copyFrom(holder);
  }
  getSelection()?.selectAllChildren(holder);
  return document.execCommand('copy');
}

function copyFrom(area: HTMLTextAreaElement): boolean {
  const before = document.activeElement;
  area.focus();
  area.select();
  const worked = document.execCommand('copy');
  // Otherwise the user copies by hand, and the text is selected for that.
  if (worked && before instanceof HTMLElement) {
    before.focus();
  }
  return worked;
}
