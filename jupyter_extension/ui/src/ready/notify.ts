interface Told {
  title: string;
  body: string;
  /** Several tabs tell the same thing once. */
  tag: string;
  icon: string;
  onClick: () => void;
}

export function notify({ title, body, tag, icon, onClick }: Told): void {
  try {
    const shown = new Notification(title, { body, tag, icon });
    shown.onclick = () => {
      window.focus();
      onClick();
      shown.close();
    };
  } catch {
    return; // left to service workers; the title of the page tells it too
  }
}
