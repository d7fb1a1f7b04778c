import type { Image } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { imageReason } from '../i18n/wording';

interface Props {
  images: readonly Image[];
  /** There are no others to choose from. */
  alone: boolean;
}

/** How many images there are that cannot be used, and for who wants to know it which, and why. */
export function MissingImages({ images, alone }: Props) {
  const { t } = useSpeech();
  if (images.length === 0) {
    return null;
  }
  const none = images.every((image) => image.unavailable_code === 'ImageMissing');
  const line = none ? t.launch.notInstalled : t.launch.notUsable;
  return (
    <details className="images-off" data-testid="images-off" open={alone}>
      <summary>{line(images.length, !alone)}</summary>
      <ul>
        {images.map((image) => (
          <li key={image.id} data-image={image.id}>
            <span className="image-name">{image.name}</span>
            {!none && <span className="image-text">{imageReason(t, image)}</span>}
            {image.unavailable_detail && (
              <span className="image-text">
                {t.launch.forAdmins} <span lang="en">{image.unavailable_detail}</span>
              </span>
            )}
          </li>
        ))}
      </ul>
      {none && <p className="image-text">{t.launch.askForImages}</p>}
    </details>
  );
}
