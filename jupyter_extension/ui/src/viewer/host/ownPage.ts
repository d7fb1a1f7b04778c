/**
 * The page in a frame of ours, or null where that is not a page of this origin: the browser's own error
 * page, or one that may not be shown in a frame. Every access to such a window but a few throws.
 */
export function ownPage(frame: Window): Document | null {
  try {
    return frame.document;
  } catch {
    return null;
  }
}
