import type { Image } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon, isIconName } from '../parts/Icon';
import { MissingImages } from './MissingImages';

interface Props {
  images: readonly Image[];
  chosen: string | null;
  onChoose: (id: string) => void;
}

/** More of them are told by their names: the next step is not to be scrolled for. */
const MOST_WITH_WORDS = 3;

/** The images that can be chosen; those that cannot are told of in a line below. */
export function ImageCards({ images, chosen, onChoose }: Props) {
  const { t } = useSpeech();
  const usable = images.filter((image) => image.available);
  return (
    <div>
      {usable.length > 0 ? (
        <fieldset className="images">
          <legend className={usable.length > 1 ? undefined : 'visually-hidden'}>
            {t.launch.images}
          </legend>
          <div className={usable.length > MOST_WITH_WORDS ? 'image-grid image-many' : 'image-grid'}>
            {usable.map((image) => (
              <ImageCard
                key={image.id}
                image={image}
                checked={image.id === chosen}
                onChoose={onChoose}
              />
            ))}
          </div>
        </fieldset>
      ) : (
        <p className="quiet">{t.launch.noneUsable}</p>
      )}
      <MissingImages images={images.filter((image) => !image.available)} alone={!usable.length} />
    </div>
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
  const nameId = `image-${image.id}-name`;
  const textId = `image-${image.id}-text`;
  return (
    <label className="image-card" data-testid="image-card" data-image={image.id}>
      <input
        type="radio"
        name="image"
        value={image.id}
        checked={checked}
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
        <span className="image-text" id={textId}>
          {image.description}
        </span>
      </span>
    </label>
  );
}
