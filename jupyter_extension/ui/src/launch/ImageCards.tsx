import type { Image } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon, isIconName } from '../parts/Icon';

interface Props {
  images: readonly Image[];
  chosen: string | null;
  onChoose: (id: string) => void;
}

export function ImageCards({ images, chosen, onChoose }: Props) {
  const { t } = useSpeech();
  return (
    <fieldset className="images">
      <legend>{t.launch.images}</legend>
      <div className="image-grid">
        {images.map((image) => (
          <ImageCard
            key={image.id}
            image={image}
            checked={image.id === chosen}
            onChoose={onChoose}
          />
        ))}
      </div>
    </fieldset>
  );
}

function ImageCard({
  image,
  checked,
  onChoose,
}: {
  image: Image;
  checked: boolean;
  onChoose: (id: string) => void;
}) {
  const { t } = useSpeech();
  const nameId = `image-${image.id}-name`;
  const textId = `image-${image.id}-text`;
  return (
    <label
      className={image.available ? 'image-card' : 'image-card image-card-off'}
      data-testid="image-card"
      data-image={image.id}
    >
      <input
        type="radio"
        name="image"
        value={image.id}
        checked={checked}
        disabled={!image.available}
        aria-labelledby={nameId}
        aria-describedby={textId}
        onChange={() => onChoose(image.id)}
      />
      <span className="image-icon">
        <Icon name={isIconName(image.icon) ? image.icon : 'application'} size={30} />
      </span>
      <span className="image-words">
        <span className="image-name" id={nameId}>
          {image.name}
        </span>
        <span id={textId}>
          <span className="image-text">{image.description}</span>
          {!image.available && (
            <span className="image-reason">
              <strong>{t.launch.unavailable}.</strong> {image.unavailable_reason}
            </span>
          )}
        </span>
      </span>
    </label>
  );
}
