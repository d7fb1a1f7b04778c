import { useSpeech } from '../../i18n/Language';
import { lineOf } from './line';

const WIDTH = 320;
const HEIGHT = 56;

interface Props {
  label: string;
  /** One each time it was measured, the last one now; null where it was not known. */
  values: readonly (number | null)[];
  show: (value: number) => string;
}

/** A line of what was measured; the same in words for who cannot see it. */
export function Graph({ label, values, show }: Props) {
  const { t } = useSpeech();
  const known = values.filter((value) => value !== null);
  const last = known[known.length - 1];
  if (last === undefined) {
    return null;
  }
  const most = Math.max(...known);
  const words = t.tools.graphOf(label, show(Math.min(...known)), show(most), show(last));
  return (
    <figure className="graph">
      <figcaption>
        {label} <span>{show(last)}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words}
      >
        <path d={lineOf(values, WIDTH, HEIGHT)} vectorEffect="non-scaling-stroke" />
      </svg>
    </figure>
  );
}
