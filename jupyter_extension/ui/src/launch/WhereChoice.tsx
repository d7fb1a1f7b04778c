import type { Site, Where } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { hasOf } from '../sessions/allocation';
import { durationParts, secondsUntil } from '../time/format';
import { useNow } from '../time/useNow';

interface Props {
  site: Site;
  chosen?: Where;
  onChoose: (where: Where) => void;
}

/** "This job" beside "A new job", where the Jupyter server itself runs in a job. */
export function WhereChoice({ site, chosen, onChoose }: Props) {
  const { t } = useSpeech();
  const now = useNow(10_000);
  const { here, where = [] } = site;
  if (!here) {
    return null;
  }
  const left = here.ends_at && t.duration(durationParts(secondsUntil(here.ends_at, now)));
  const asked = where.length > 1;
  const facts = `${hasOf(t, here)}, ${left ? t.launch.timeLeft(left) : t.launch.timeUnknown}`;
  return (
    <fieldset className="where" data-testid="where">
      <legend>{t.launch.where}</legend>
      {where.map((one) => (
        <label key={one} className="where-choice">
          {asked && (
            <input
              type="radio"
              name="where"
              value={one}
              checked={chosen === one}
              onChange={() => onChoose(one)}
            />
          )}
          <span>
            <strong>{one === 'here' ? t.launch.here : t.launch.job}</strong>
            {one === 'here' && <span className="where-facts"> {facts}</span>}
            <span className="quiet">{one === 'here' ? t.launch.hereHint : t.launch.jobHint}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
