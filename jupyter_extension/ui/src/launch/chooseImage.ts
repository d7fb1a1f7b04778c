import type { Image } from '../api/types';

/** The image that one click launches: the last used one, else the site's default, else any usable. */
export function chooseImage(
  images: readonly Image[],
  lastUsed: string | null,
  siteDefault: string,
): Image | null {
  const usable = images.filter((image) => image.available);
  return (
    usable.find((image) => image.id === lastUsed) ??
    usable.find((image) => image.id === siteDefault) ??
    usable.find((image) => image.default) ??
    usable[0] ??
    null
  );
}
